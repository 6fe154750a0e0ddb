import type { EngineEvent } from '../assistants/engine.ts';
import type { ServerSentEvent } from '../http/eventStream.ts';
import type { Stored } from '../storage/rows.ts';
import { type Run, toRunBody } from './run.ts';
import { type RunServices, record } from './settle.ts';
import { deadline as deadlineOf, isFinished, observe } from './state.ts';
import { waitForNews } from './waitForNews.ts';

/** The id of a run's last event; whoever has seen it has seen everything. */
export const lastEventId = 'end';

/** Between two looks of its own at a run whose stream cannot be taken up. */
const waitMs = 30_000;

/**
 * A run as it happens: a `run` event with the run at first and on every change of its status, a `message.delta` event
 * for every piece of the answer, and the finished run at last. A run that has finished already is told as such.
 * @param after the id of the last event that the client has; nothing up to it is told again, and nothing after it is
 * left out as long as the engine keeps its stream. Without it the events begin with the run as it stands.
 * @param signal ends the events and all work for them.
 */
export async function* runEvents(
  services: RunServices,
  recorded: Stored<Run>,
  after: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  let stored = recorded;
  let told: string | undefined;
  let sequence = after ?? 0;
  const tell = (run: Run): ServerSentEvent => {
    told = run.status;
    return { id: isFinished(run) ? lastEventId : String(sequence), event: 'run', data: toRunBody(run) };
  };

  if (after === undefined) {
    yield tell(stored.value);
    if (isFinished(stored.value)) return;
  }
  for await (const event of follow(services, stored.value, sequence, signal)) {
    sequence = event.sequence;
    if (event.delta !== undefined) {
      yield { id: String(sequence), event: 'message.delta', data: { delta: event.delta } };
    }
    if (!event.seen) continue;
    const next = observe(stored.value, event.seen, new Date());
    if (next !== stored.value) stored = await record(services, stored, next);
    if (isFinished(stored.value)) break;
    if (event.seen.status !== 'queued' && told !== stored.value.status) yield tell(stored.value);
  }
  // The stream is over or could not be taken up; what is still to come is observed together with all who wait.
  while (!isFinished(stored.value)) {
    stored = await waitForNews(services, stored, waitMs, signal);
    signal.throwIfAborted();
    if (!isFinished(stored.value) && told !== stored.value.status) yield tell(stored.value);
  }
  yield tell(stored.value);
}

/** The engine's events until the run's deadline; none when it has no stream of the run to give. */
async function* follow(
  { engine }: RunServices,
  run: Run,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  if (run.responseId === undefined) return;
  const until = new AbortController();
  const end = () => until.abort();
  const overdueMs = Math.max(0, deadlineOf(run).getTime() - Date.now());
  const timer = isFinished(run) ? undefined : setTimeout(end, overdueMs);
  signal.addEventListener('abort', end);
  try {
    yield* engine.follow(run.responseId, after, until.signal);
  } catch {
    signal.throwIfAborted();
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
