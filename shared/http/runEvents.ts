import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { FeedEntry } from '../runs/runFeed.ts';
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
  /** The engine's sequence number of the last event. */
  readonly sequence: number;
  /** Number of characters of text in all events so far. */
  readonly characters: number;
}

/** Parses the id of any event but the last. @returns undefined for a malformed id. */
export function parseEventId(id: string): EventPosition | undefined {
  const [, sequence, characters = '0'] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(id) ?? [];
  return sequence === undefined ? undefined : { sequence: Number(sequence), characters: Number(characters) };
}

const toEventId = ({ sequence, characters }: EventPosition): string =>
  characters === 0 ? String(sequence) : `${sequence}-${characters}`;

/**
 * Yields the events of a run: `run` at the start and whenever its status changes, `message.delta` (or
 * `commentary.delta`) for every piece of text, and a last `run` when it has ended. For a run that has already ended,
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
  let lastSentStatus: string | undefined;
  let { sequence, characters } = after ?? { sequence: 0, characters: 0 };
  const toRunEvent = (run: Run): ServerSentEvent => {
    lastSentStatus = run.status;
    const id = isTerminal(run) ? lastEventId : toEventId({ sequence, characters });
    return { id, event: 'run', data: toRunBody(run) };
  };

  if (after === undefined) {
    yield toRunEvent(stored.value);
    if (isTerminal(stored.value)) return;
  }
  const subscription = services.liveRuns.feeds.subscribe(stored);
  try {
    /** Characters of text in all entries so far. Feeds of a run have the same text, but may split it differently. */
    let entryCharacters = 0;
    for (let next = 0; !signal.aborted; ) {
      const entry = subscription.entries[next];
      if (entry) {
        next++;
        if (entry.type === 'delta') {
          const text = entry.text.slice(Math.max(0, characters - entryCharacters));
          entryCharacters += entry.text.length;
          if (text === '') continue;
          sequence = Math.max(sequence, entry.sequence);
          characters = entryCharacters;
          yield toDeltaEvent(toEventId({ sequence, characters }), entry, text);
        } else if (after === undefined || entry.sequence > after.sequence) {
          sequence = Math.max(sequence, entry.sequence);
          if (entry.run.status !== lastSentStatus) yield toRunEvent(entry.run);
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

const toDeltaEvent = (
  id: string,
  { messageId, commentary }: FeedEntry & { type: 'delta' },
  text: string,
): ServerSentEvent => ({
  id,
  event: commentary ? 'commentary.delta' : 'message.delta',
  data: { messageId, delta: text },
});
