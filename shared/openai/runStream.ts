import type { HttpResponseInit } from '@azure/functions';
import { AppError } from '../errors.ts';
import { eventStreamResponse, type ServerSentEvent } from '../http/eventStream.ts';
import type { Assistant } from '../model/assistant.ts';
import { sealAnnotation } from '../model/message.ts';
import { type Run, roundOf } from '../model/run.ts';
import { sealNamed } from '../model/step.ts';
import type { Stored } from '../model/stored.ts';
import type { Thread } from '../model/thread.ts';
import type { RequiredAction } from '../model/toolCalls.ts';
import type { Subscription } from '../runs/feedEntry.ts';
import { findRun } from '../runs/findRun.ts';
import type { Call } from './call.ts';
import { toErrorBody, type WireErrorBody } from './errorResponse.ts';
import { toWireRun } from './runObject.ts';
import { StreamedOutput } from './streamedOutput.ts';
import { toWireThread } from './threadObject.ts';
import type { WireEvent, WireRun, WireStep } from './wire.ts';

/** A run to stream, as the request left it. */
export interface StreamedRun {
  readonly run: Run;
  /** The thread, if the same request created it. */
  readonly created?: Thread | undefined;
  readonly assistant: Assistant | undefined;
  /** The step of the functions that the same request answered. */
  readonly answered?: WireStep | undefined;
  /** The round to begin with; 0 for the whole run. */
  readonly fromRound: number;
  /** What the caller may see of the instructions. */
  readonly instructions: string;
}

/** Part of a stream's time in which it says that its time is up, in milliseconds. */
const farewellMs = 1_000;

/**
 * Streams the events of a run in the order of the original API, fed by the same feed as those of the project API. The
 * run continues when the stream breaks.
 */
export async function streamRun(call: Call, streamed: StreamedRun): Promise<HttpResponseInit> {
  const { context, caller } = call;
  const durationMs = Math.min(context.config.eventStreamSeconds * 1000, caller.expiresAt - Date.now());
  const stored = await findRun(context, streamed.run);
  const thread = await context.threads.find(streamed.run);
  if (!thread) throw new AppError('thread_not_found');
  const { conversationId } = thread.value;
  context.deadline.extend(durationMs);
  return eventStreamResponse(context, durationMs, (signal) =>
    withErrors(runEvents(call, streamed, { stored, conversationId }, signal, durationMs - farewellMs)),
  );
}

/** Ends events with `done` or, if they fail, with an `error` event. */
async function* withErrors(events: AsyncIterable<WireEvent>): AsyncGenerator<ServerSentEvent> {
  try {
    yield* events;
    yield { event: 'done', data: '[DONE]' };
  } catch (error) {
    yield { event: 'error', data: { error: error instanceof StreamEnded ? error.body : toErrorBody(error) } };
  }
}

/** Thrown when a stream ends before its run. */
class StreamEnded extends Error {
  override readonly name = 'StreamEnded';
  readonly body: WireErrorBody;

  constructor(message: string, code: string) {
    super(code);
    this.body = { message, type: 'server_error', param: null, code };
  }
}

/** The events of a run's states after it was queued, in their order. */
const stateEvents = {
  in_progress: 'thread.run.in_progress',
  requires_action: 'thread.run.requires_action',
  cancelling: 'thread.run.cancelling',
  cancelled: 'thread.run.cancelled',
  failed: 'thread.run.failed',
  completed: 'thread.run.completed',
  incomplete: 'thread.run.incomplete',
  expired: 'thread.run.expired',
} as const;

async function* runEvents(
  { context }: Call,
  { run: created, created: thread, assistant, instructions, answered, fromRound }: StreamedRun,
  { stored, conversationId }: { stored: Stored<Run>; conversationId: string },
  signal: AbortSignal,
  maxMs: number,
): AsyncGenerator<WireEvent> {
  const toObject = (run: Run, requiredAction?: RequiredAction): WireRun =>
    toWireRun({ run, assistant, instructions, requiredAction });
  const toEvent = (data: WireRun): WireEvent => ({
    event: stateEvents[data.status as keyof typeof stateEvents],
    data,
  });
  if (thread) yield { event: 'thread.created', data: toWireThread(thread) };
  if (answered) yield { event: 'thread.run.step.completed', data: answered };
  const queued = toObject({ ...created, status: 'queued' });
  if (fromRound === 0) yield { event: 'thread.run.created', data: queued };
  yield { event: 'thread.run.queued', data: queued };

  let started = false;
  const start = function* (run: Run): Generator<WireEvent> {
    if (started) return;
    started = true;
    yield toEvent(toObject({ ...run, status: 'in_progress', startedAt: run.startedAt ?? new Date() }));
  };
  const output = new StreamedOutput(created, conversationId);
  const openSecret = () => context.fileSecrets.open(created.projectId);
  const subscription = context.liveRuns.feeds.subscribe(stored);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), maxMs);
  signal.addEventListener('abort', () => stop.abort());
  try {
    for (let next = 0; !signal.aborted; ) {
      const entry = subscription.entries[next];
      if (entry) {
        next++;
        // What came before the outputs that were submitted.
        const isEarlier = entry.type === 'run' ? roundOf(entry.run) < fromRound : entry.round < fromRound;
        if (isEarlier) continue;
        yield* start(entry.type === 'run' ? entry.run : subscription.stored.value);
        if (entry.type === 'annotation') {
          const annotation = sealAnnotation(entry.annotation, conversationId, await openSecret());
          yield* output.annotate(entry.messageId, annotation);
        } else if (entry.type !== 'run') {
          const named = entry.type === 'step' ? entry.named : undefined;
          const secret = named?.found?.length ? await openSecret() : undefined;
          yield* output.add(entry, named && sealNamed(named, conversationId, secret));
        } else if (entry.requiredAction) {
          return yield toEvent(toObject(entry.run, entry.requiredAction));
        }
      } else if (subscription.isComplete) {
        const { value: ended } = subscription.stored;
        if (ended.startedAt) yield* start(ended);
        yield* output.end(ended);
        const data = toObject(ended);
        if (data.status === 'cancelled') yield toEvent({ ...data, status: 'cancelling', cancelled_at: null });
        yield toEvent(data);
        return;
      } else {
        if (subscription.isClosed || stop.signal.aborted) throw endedEarly(subscription);
        await subscription.changed(stop.signal);
      }
    }
  } finally {
    clearTimeout(timer);
    subscription.close();
  }
}

const endedEarly = ({ isClosed }: Subscription): StreamEnded =>
  isClosed
    ? new StreamEnded('The run can no longer be followed. Retrieve it instead.', 'stream_closed')
    : new StreamEnded(
        'The stream has reached its time limit. The run goes on; retrieve it.',
        'stream_timeout',
      );
