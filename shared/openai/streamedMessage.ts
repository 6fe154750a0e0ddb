import type { Run } from '../model/run.ts';
import { toUnixSeconds, type WireEvent, type WireMessage } from './wire.ts';

type IncompleteReason = NonNullable<WireMessage['incomplete_details']>['reason'];

/** Why a message is incomplete, by what ended its run. */
const byEnding = {
  failed: 'run_failed',
  cancelled: 'run_cancelled',
  expired: 'run_expired',
} as const;

const byErrorCode: Readonly<Partial<Record<NonNullable<Run['errorCode']>, IncompleteReason>>> = {
  max_output_tokens: 'max_tokens',
  content_filter: 'content_filter',
};

/** A message that a run writes, as its events show it. */
export class StreamedMessage {
  readonly id: string;
  readonly #message: WireMessage;
  #text = '';

  constructor({ assistantId, threadId, runId }: Run, id: string) {
    this.id = id;
    this.#message = {
      id,
      object: 'thread.message',
      created_at: toUnixSeconds(new Date()),
      assistant_id: assistantId,
      thread_id: threadId,
      run_id: runId,
      role: 'assistant',
      status: 'in_progress',
      incomplete_details: null,
      incomplete_at: null,
      completed_at: null,
      content: [],
      attachments: [],
      metadata: {},
    };
  }

  *begin(): Generator<WireEvent> {
    yield { event: 'thread.message.created', data: this.#message };
    yield { event: 'thread.message.in_progress', data: this.#message };
  }

  append(text: string): WireEvent {
    this.#text += text;
    const content = [{ index: 0, type: 'text' as const, text: { value: text, annotations: [] } }];
    return {
      event: 'thread.message.delta',
      data: { id: this.id, object: 'thread.message.delta', delta: { content } },
    };
  }

  end(ending: 'completed' | keyof typeof byEnding, errorCode?: Run['errorCode']): WireEvent {
    const now = toUnixSeconds(new Date());
    const content = [{ type: 'text' as const, text: { value: this.#text, annotations: [] } }];
    if (ending === 'completed') {
      return {
        event: 'thread.message.completed',
        data: { ...this.#message, status: 'completed', completed_at: now, content },
      };
    }
    const reason = (errorCode && byErrorCode[errorCode]) ?? byEnding[ending];
    return {
      event: 'thread.message.incomplete',
      data: {
        ...this.#message,
        status: 'incomplete',
        incomplete_at: now,
        incomplete_details: { reason },
        content,
      },
    };
  }
}
