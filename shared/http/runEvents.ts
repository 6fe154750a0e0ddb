import type { Run } from '../model/run.ts';
import { isTerminal } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import type { FeedEntry } from '../runs/runFeed.ts';
import type { RunServices } from '../runs/runServices.ts';
import type { ServerSentEvent } from './eventStream.ts';
import { toRunBody } from './runBody.ts';

/** The id of a run's last event; whoever has seen it has seen everything. */
export const lastEventId = 'end';

/**
 * How much of a run's events a client has. The sequence alone does not tell: where the engine's stream cannot be read,
 * the text comes in one piece, without the numbers of its events.
 */
export interface EventPosition {
  /** The engine's number of the last event. */
  readonly sequence: number;
  /** How many characters of text came with all events so far. */
  readonly characters: number;
}

/** Parses the id of any event but the last. @returns undefined for an id that no event has. */
export function parseEventId(id: string): EventPosition | undefined {
  const [, sequence, characters = '0'] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(id) ?? [];
  return sequence === undefined ? undefined : { sequence: Number(sequence), characters: Number(characters) };
}

const toEventId = ({ sequence, characters }: EventPosition): string =>
  characters === 0 ? String(sequence) : `${sequence}-${characters}`;

/**
 * Gives a run's events as they happen: `run` with the run at first and on every change of its status, `message.delta`
 * (or `commentary.delta`) for every piece of the reply, and the finished run at last. Without `after`, a run that has
 * finished already gives its end alone.
 * @param after what the client has already: nothing of it is repeated, and nothing after it is left out as long as the
 * engine keeps it.
 * @param signal ends the events.
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
    /** Characters of all entries so far; every feed of a run has the same text, in pieces of its own. */
    let fed = 0;
    for (let next = 0; !signal.aborted; ) {
      const entry = subscription.entries[next];
      if (entry) {
        next++;
        if (entry.type === 'delta') {
          const text = entry.text.slice(Math.max(0, characters - fed));
          fed += entry.text.length;
          if (text === '') continue;
          sequence = Math.max(sequence, entry.sequence);
          characters = fed;
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
