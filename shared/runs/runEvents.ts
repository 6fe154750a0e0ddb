import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineEvent } from '../assistants/engine.ts';
import type { ServerSentEvent } from '../http/eventStream.ts';
import type { Stored } from '../storage/rows.ts';
import { type Run, toRunBody } from './run.ts';
import { type RunServices, record, settle } from './settle.ts';
import { deadline as deadlineOf, isFinished, observe } from './state.ts';

/** The id of a run's last event; whoever has seen it has seen everything. */
export const lastEventId = 'end';

/** Between two looks at a run whose stream cannot be taken up. */
const lookMs = 1_000;

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
  // The stream is over or could not be taken up; what is still to come is looked up.
  while (!isFinished(stored.value)) {
    await sleep(lookMs, undefined, { signal });
    stored = await settle(services, await reread(services, stored));
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
  const overdueMs = Math.max(0, deadlineOf(run).getTime() - Date.now());
  const until = isFinished(run) ? signal : AbortSignal.any([signal, AbortSignal.timeout(overdueMs)]);
  try {
    yield* engine.follow(run.responseId, after, until);
  } catch {
    signal.throwIfAborted();
  }
}

async function reread(services: RunServices, stored: Stored<Run>): Promise<Stored<Run>> {
  const { projectId, threadId, runId } = stored.value;
  return (await services.runs.find(projectId, threadId, runId)) ?? stored;
}
