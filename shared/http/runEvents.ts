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
 * Gives a run's events as they happen: `run` with the run at first and on every change of its status, `message.delta`
 * (or `commentary.delta`) for every piece of the reply, and the finished run at last. Without `after`, a run that has
 * finished already gives its end alone.
 * @param after the id of the last event that the client has: nothing up to it is repeated, and nothing after it is left
 * out as long as the engine keeps it.
 * @param signal ends the events.
 */
export async function* runEvents(
  services: RunServices,
  stored: Stored<Run>,
  after: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  let lastSentStatus: string | undefined;
  let sequence = after ?? 0;
  const toRunEvent = (run: Run): ServerSentEvent => {
    lastSentStatus = run.status;
    return { id: isTerminal(run) ? lastEventId : String(sequence), event: 'run', data: toRunBody(run) };
  };

  if (after === undefined) {
    yield toRunEvent(stored.value);
    if (isTerminal(stored.value)) return;
  }
  const subscription = services.liveRuns.feeds.subscribe(stored);
  try {
    for (let next = 0; !signal.aborted; ) {
      const entry = subscription.entries[next];
      if (entry) {
        next++;
        if (after !== undefined && entry.sequence <= after) continue;
        sequence = entry.sequence;
        if (entry.type === 'delta') yield toDeltaEvent(entry);
        else if (entry.run.status !== lastSentStatus) yield toRunEvent(entry.run);
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

const toDeltaEvent = ({
  sequence,
  messageId,
  commentary,
  text,
}: FeedEntry & { type: 'delta' }): ServerSentEvent => ({
  id: String(sequence),
  event: commentary ? 'commentary.delta' : 'message.delta',
  data: { messageId, delta: text },
});
