import type { ThreadSnapshot } from './threadStore.ts';

/** Texts for screen readers, to be replaced by those of another language. */
export interface AnnouncementTexts {
  readonly loading: string;
  readonly submitting: string;
  readonly replying: string;
  /** The run waits for outputs or approvals. */
  readonly waiting: string;
  /** @param reply the whole reply. */
  readonly replied: (reply: string) => string;
  readonly failed: string;
  readonly expired: string;
  readonly cancelled: string;
  readonly notSent: string;
  /** The thread or the run's events cannot be read. */
  readonly disconnected: string;
}

const english: AnnouncementTexts = {
  loading: 'Loading the conversation',
  submitting: 'Sending',
  replying: 'The assistant is replying',
  waiting: 'The assistant needs your input',
  replied: (reply) => `The assistant replied: ${reply}`,
  failed: 'The assistant could not reply',
  expired: 'The assistant did not reply in time',
  cancelled: 'Cancelled',
  notSent: 'The message was not sent',
  disconnected: 'The connection was lost',
};

/**
 * Returns what a screen reader should say about a thread: put it into an element with `role="status"`. It changes a few times
 * a run, not with every piece of the reply.
 */
export function toAnnouncement(snapshot: ThreadSnapshot, texts: Partial<AnnouncementTexts> = {}): string {
  const say = { ...english, ...texts };
  const { status, run, messages, error } = snapshot;
  if (status === 'loading' || status === 'submitting') return say[status];
  if (messages.at(-1)?.status === 'failed') return say.notSent;
  if (status === 'requires_action') return say.waiting;
  if (status !== 'ready') return say.replying;
  switch (run?.status) {
    case 'completed':
      return say.replied(replyOf(snapshot));
    case 'failed':
    case 'expired':
    case 'cancelled':
      return say[run.status];
    default:
      return error ? say.disconnected : '';
  }
}

/** Returns what the last run replied, without its commentary. */
const replyOf = ({ run, messages }: ThreadSnapshot): string =>
  messages
    .filter(({ runId, commentary, content }) => runId === run?.runId && !commentary && content !== '')
    .map(({ content }) => content)
    .join('\n');
