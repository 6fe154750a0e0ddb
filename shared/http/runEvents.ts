import { type Run, roundOf } from '../model/run.ts';
import { isTerminal, isWaiting } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { RequiredAction } from '../model/toolCalls.ts';
import type { FeedEntry } from '../runs/feedEntry.ts';
import type { OutputChange } from '../runs/runOutput.ts';
import type { RunServices } from '../runs/runServices.ts';
import type { ServerSentEvent } from './eventStream.ts';
import { toRunBody } from './runBody.ts';

/** The id of a run's last event. A client that has it has all events. */
export const lastEventId = 'end';

/**
 * A client's position in the events of a run. The sequence number alone is not enough: if the engine's stream cannot be
 * read, polling delivers text without sequence numbers.
 */
export interface EventPosition {
  /** Index of the round; 0 is the first. */
  readonly round: number;
  /** The engine's sequence number of the last event of the round. */
  readonly sequence: number;
  /** Number of characters of text in the events of the round so far; each start and end counts as one more. */
  readonly characters: number;
}

/**
 * Parses the id of any event but the last: `SEQUENCE[-CHARACTERS]`, from the second round on `ROUND.SEQUENCE[-CHARACTERS]`.
 * @returns undefined for a malformed id.
 */
export function parseEventId(id: string): EventPosition | undefined {
  const pattern = /^(?:([2-9]|[1-9]\d{1,2})\.)?(\d{1,9})(?:-(\d{1,9}))?$/;
  const [, round = '1', sequence, characters = '0'] = pattern.exec(id) ?? [];
  if (sequence === undefined) return undefined;
  return { round: Number(round) - 1, sequence: Number(sequence), characters: Number(characters) };
}

const toEventId = ({ round, sequence, characters }: EventPosition): string =>
  (round === 0 ? '' : `${round + 1}.`) + (characters === 0 ? String(sequence) : `${sequence}-${characters}`);

const startOf = (round: number): EventPosition => ({ round, sequence: 0, characters: 0 });

/**
 * Yields the events of a run: `run` at the start (for a waiting run, after the text so far) and whenever its status changes,
 * the start, text and end of every message, the start and end of every other step, and a last `run` when it has ended. For a run that has already ended,
 * yields only that last event unless `after` is given.
 * @param after position to resume from: earlier events are not repeated, and later ones are not skipped as long as the
 * engine keeps them.
 * @param signal stops the events.
 */
export async function* runEvents(
  services: RunServices,
  stored: Stored<Run>,
  after: EventPosition | undefined,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  let lastSent: string | undefined;
  let position = after ?? startOf(0);
  const toRunEvent = (run: Run, action?: RequiredAction): ServerSentEvent => {
    lastSent = toStage(run);
    return {
      id: isTerminal(run) ? lastEventId : toEventId(position),
      event: 'run',
      data: toRunBody(run, action),
    };
  };

  if (after === undefined && !isWaiting(stored.value)) {
    yield toRunEvent(stored.value);
    if (isTerminal(stored.value)) return;
  }
  const subscription = services.liveRuns.feeds.subscribe(stored);
  try {
    /** Text of the entries so far. Feeds of a run have the same text, but may split it differently. */
    let read = startOf(0);
    for (let next = 0; !signal.aborted; ) {
      const entry = subscription.entries[next];
      if (entry) {
        next++;
        // Messages of the thread have their annotations.
        if (entry.type === 'annotation') continue;
        if (entry.round > read.round) read = startOf(entry.round);
        const isBehind = entry.round < position.round;
        if (entry.round > position.round) position = startOf(entry.round);
        const sequence = Math.max(position.sequence, entry.sequence);
        if (entry.type !== 'run') {
          const sent = Math.max(0, position.characters - read.characters);
          const length = lengthOf(entry);
          read = { ...read, characters: read.characters + length };
          if (isBehind || sent >= length) continue;
          position = { ...position, sequence, characters: read.characters };
          yield toOutputEvent(toEventId(position), entry, sent);
        } else if (!isBehind && (after === undefined || isLater(entry, after))) {
          position = { ...position, sequence };
          if (toStage(entry.run) !== lastSent) yield toRunEvent(entry.run, entry.requiredAction);
        }
      } else if (subscription.isComplete) {
        yield toRunEvent(subscription.stored.value);
        return;
      } else if (subscription.isClosed) {
        return;
      } else {
        await subscription.changed(signal);
      }
    }
  } finally {
    subscription.close();
  }
}

/** Names a stage of a run, of which a client is told once: its status, and for a waiting run the round. */
const toStage = (run: Run): string => (isWaiting(run) ? `${run.status} ${roundOf(run)}` : run.status);

const isLater = (entry: FeedEntry, { round, sequence }: EventPosition): boolean =>
  entry.round > round || (entry.round === round && entry.sequence > sequence);

type ShownChange = Exclude<OutputChange, { type: 'annotation' }>;

/** Feeds of a run have the same output in the same order, so its length is a position, whatever a feed has read. */
const lengthOf = (change: ShownChange): number => (change.type === 'delta' ? change.text.length : 1);

/** @param sent number of characters that the client has of the change. */
function toOutputEvent(id: string, change: ShownChange, sent: number): ServerSentEvent {
  switch (change.type) {
    case 'step':
      return { id, event: 'step', data: { change: change.change, step: change.step } };
    case 'delta': {
      const { messageId, commentary, refusal, text } = change;
      const event = refusal ? 'refusal.delta' : commentary ? 'commentary.delta' : 'message.delta';
      return { id, event, data: { messageId, delta: text.slice(sent) } };
    }
    default: {
      const { type, messageId, commentary } = change;
      return { id, event: type, data: { messageId, commentary } };
    }
  }
}
