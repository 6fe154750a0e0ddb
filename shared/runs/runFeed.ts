import { scheduler } from 'node:timers/promises';
import type { EngineEvent, EngineStream } from '../engine/engine.ts';
import { AppError, hasCode } from '../errors.ts';
import { type Run, type RunStatus, roundOf } from '../model/run.ts';
import { type EngineRunState, isTerminal, isWaiting, runDeadline } from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { toRequiredAction } from '../model/toolCalls.ts';
import type { FeedEntry, Subscription } from './feedEntry.ts';
import { holdMs } from './holdStream.ts';
import { changeTo, refreshRun, saveRun } from './refreshRun.ts';
import { RunOutput } from './runOutput.ts';
import type { RunServices } from './runServices.ts';
import { Wakeups } from './wakeups.ts';

/** How long a feed outlives its last subscriber, in milliseconds: clients usually wait again after a change. */
const lingerMs = 5_000;

/** Interval between two polls of a run whose stream cannot be read, in milliseconds. */
const pollMs = 1_000;

/** Interval between two reads of a run that another request is submitting, in milliseconds. */
const submissionPollMs = 250;

/** Interval between two reads of a waiting run, whose outputs another worker may receive, in milliseconds. */
const waitingPollMs = 2_000;

/** Timeout of one poll, in milliseconds. */
const pollTimeoutMs = 10_000;

/** Idle timeout of a stream, in milliseconds; then the run is polled, since the connection may be dead. */
const silentMs = 15_000;

/** Maximum delay before an unreadable stream is retried, in milliseconds. */
const maxRetryMs = 30_000;

/** How long the rest of a terminal run's stream is awaited, in milliseconds; a cancelled one may never end. */
const drainMs = 10_000;
const cancelledDrainMs = 2_000;

const isRoundEnd = ({ status }: EngineRunState): boolean =>
  status === 'completed' || status === 'requires_action' || status === 'failed' || status === 'cancelled';

/** The events of a run in this worker. Reads one round after the other, from the first. */
export class RunFeed {
  stored: Stored<Run>;
  readonly entries: FeedEntry[] = [];
  isComplete = false;
  isClosed = false;

  readonly #services: RunServices;
  readonly #onClose: () => void;
  readonly #wakeups = new Wakeups();
  readonly #output: RunOutput;
  /** Stops the feed. */
  readonly #stop = new AbortController();
  /** Ends the current read or pause: the run is processed again, unless the feed is stopped. */
  #interrupt = new AbortController();
  /** Index of the round that is being read. */
  #round = 0;
  #isRoundRead = false;
  /** Sequence number of the last event of the round that was fully processed. */
  #sequence = 0;
  /** Sequence number of the event being processed. */
  #current = 0;
  /** Status in the last `run` entry. `queued` at first even for a run in progress: a feed replays its run. */
  #announcedStatus: RunStatus = 'queued';
  #subscribers = 0;
  #hadSubscribers = false;
  /** The stream of the round's submission, until it is read. */
  #stream: EngineStream | undefined;
  /** Keeps the feed open without subscribers. */
  #hold: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;
  #retryMs = 0;
  #retryAt = 0;
  /** The id of the thread's conversation, from which ids for clients are derived. */
  #conversationId: Promise<string> | undefined;

  constructor(services: RunServices, stored: Stored<Run>, onClose: () => void) {
    this.#services = services;
    this.stored = stored;
    this.#onClose = onClose;
    this.#output = new RunOutput(
      () => this.#findConversationId(),
      (change) => this.#add({ round: this.#round, sequence: this.#current, ...change }),
    );
    // Deferred, so that the opener can subscribe or pass a stream first.
    setImmediate(() => void this.#run());
  }

  subscribe(): Subscription {
    this.#subscribers++;
    this.#hadSubscribers = true;
    clearTimeout(this.#linger);
    // Start now, in parallel with the engine's stream, so that the first text is not delayed.
    this.#findConversationId().catch(() => undefined);
    const feed = this;
    let isOpen = true;
    return {
      entries: this.entries,
      get stored() {
        return feed.stored;
      },
      get isComplete() {
        return feed.isComplete;
      },
      get isClosed() {
        return feed.isClosed;
      },
      changed: (signal) => this.#wakeups.next(signal),
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#subscribers--;
        this.#stopUnlessWanted(lingerMs);
      },
    };
  }

  /** Returns whether the rounds before this one have been read. */
  hasReached(round: number): boolean {
    return this.#round === round || (this.#round === round - 1 && this.#isRoundRead);
  }

  /** Takes the stream of a submission, whose round the feed {@link hasReached}. */
  accept(stream: EngineStream): void {
    this.#stream = stream;
    this.#hold = setTimeout(() => this.#release(), holdMs).unref();
    this.#interrupt.abort();
  }

  /** Adopts a version of the run if it is newer than the known one. */
  adopt(stored: Stored<Run>): void {
    const [known, run] = [this.stored.value, stored.value];
    // Of two active versions, the one with more information is newer.
    if (isTerminal(run) || knowledge(run) >= knowledge(known)) this.#replace(stored);
  }

  #replace(stored: Stored<Run>): void {
    if (stored.etag === this.stored.etag) return;
    const hadEnded = isTerminal(this.stored.value);
    // An end is final; only the run's metadata can be newer.
    if (!hadEnded || isTerminal(stored.value)) this.stored = stored;
    if (hadEnded) return;
    if (isTerminal(stored.value)) this.#limitDrain();
    // A round that has been read is followed by another one or by the end.
    if (this.#isRoundRead) this.#interrupt.abort();
    this.#announce();
    this.#wakeups.wake();
  }

  /** Adds a `run` entry when the run's status differs from that of the last one. */
  #announce(): void {
    const { value: run } = this.stored;
    if (isTerminal(run) || run.status === this.#announcedStatus) return;
    // A waiting run is announced once its round has been read; a later round, once it is reached.
    if (isWaiting(run) || roundOf(run) !== this.#round) return;
    // The claim of a later round may be undone.
    if (this.#round > 0 && run.responseId === undefined) return;
    this.#announcedStatus = run.status;
    // Above 0, the position of a client that has received nothing but the first event.
    const sequence = run.status === 'queued' ? 1 : Math.max(2, this.#current);
    this.#add({ type: 'run', round: this.#round, sequence, run });
  }

  async #run(): Promise<void> {
    try {
      while (!this.isComplete && !this.#stop.signal.aborted) await this.#proceed();
    } catch (error) {
      // If the run was deleted with its thread, there is nothing to report.
      if (!hasCode(error, 'run_not_found')) {
        this.#services.log({ event: 'run_feed_failed', error: (error as Error).name });
      }
    }
    clearTimeout(this.#hold);
    clearTimeout(this.#drain);
    this.#stream?.close();
    if (!this.isComplete) this.#close();
    else this.#stopUnlessWanted(lingerMs);
    this.#wakeups.wake();
  }

  /** Does the next step for the state of the run: waits, reads the stream, polls or expires it. */
  async #proceed(): Promise<void> {
    const run = this.stored.value;
    this.#interrupt = new AbortController();
    // The claim of the round has been undone.
    if (roundOf(run) < this.#round) this.#returnToRound();
    if (this.#isRoundRead) return this.#leaveRound();
    if (this.#stream === undefined && this.#responseId() === undefined) return this.#awaitSubmission();
    if (isOverdue(run)) return this.#refresh();
    if (isTerminal(run)) this.#limitDrain();

    const before = this.#sequence;
    if (this.#stream !== undefined || Date.now() >= this.#retryAt) await this.#read();
    if (this.#isRoundRead || this.isComplete || this.#stop.signal.aborted) return;
    // The stream of the submission has arrived; prefer it to a poll.
    if (this.#stream !== undefined) return;
    if (this.#sequence > before) {
      this.#retryMs = 0;
      this.#retryAt = 0;
      return;
    }
    this.#retryMs = Math.min(2 * this.#retryMs || pollMs, maxRetryMs);
    this.#retryAt = Date.now() + this.#retryMs;
    await this.#poll();
  }

  /** Returns the engine's id of the round; undefined while it is being submitted. */
  #responseId(): string | undefined {
    const { value: run } = this.stored;
    return this.#isLastRound() ? run.responseId : run.earlierResponseIds?.[this.#round];
  }

  #isLastRound(): boolean {
    return roundOf(this.stored.value) <= this.#round;
  }

  /** Goes on after a round that has been read to its end. */
  async #leaveRound(): Promise<void> {
    if (!this.#isLastRound()) this.#enterRound(this.#round + 1);
    else if (isTerminal(this.stored.value)) this.#complete();
    else await this.#awaitOutputs();
  }

  #enterRound(round: number): void {
    this.#round = round;
    this.#isRoundRead = false;
    this.#sequence = 0;
    this.#current = 0;
    this.#retryMs = 0;
    this.#retryAt = 0;
    this.#announcedStatus = 'requires_action';
    this.#announce();
  }

  #returnToRound(): void {
    this.#round = roundOf(this.stored.value);
    this.#isRoundRead = true;
  }

  /** Waits until outputs have been submitted, by a request of this worker or of another one. Asks the store only. */
  async #awaitOutputs(): Promise<void> {
    const before = this.stored;
    if (isOverdue(before.value)) return this.#refresh();
    const leftMs = runDeadline(before.value).getTime() - Date.now();
    await this.#pause(Math.min(waitingPollMs, leftMs));
    if (this.stored === before && !this.#stop.signal.aborted) await this.#reread();
  }

  /** Waits until the round has been submitted, by a request of this worker or of another one. */
  async #awaitSubmission(): Promise<void> {
    if (isTerminal(this.stored.value)) return this.#complete();
    await this.#pause(submissionPollMs);
    if (this.#stream !== undefined || this.#stop.signal.aborted) return;
    if (isOverdue(this.stored.value)) return this.#refresh();
    await this.#reread();
  }

  /** Reads the run from the store. */
  async #reread(): Promise<void> {
    const before = this.stored;
    const current = await this.#attempt(() => this.#services.runs.find(before.value));
    if (current.failed) return;
    if (!current.value) throw new AppError('run_not_found');
    // Unless something else has changed meanwhile, what was read last is newest, even if a claim was undone.
    if (this.stored === before) this.#replace(current.value);
    else this.adopt(current.value);
  }

  /** Expires an overdue run. */
  async #refresh(): Promise<void> {
    const refreshed = await this.#attempt(() => refreshRun(this.#services, this.stored));
    if (refreshed.failed) await this.#pause(pollMs);
    else this.adopt(refreshed.value);
  }

  /** Reads the round's stream until it ends, breaks, times out or is interrupted. */
  async #read(): Promise<void> {
    const responseId = this.#responseId() ?? '';
    const { signal } = this.#interrupt;
    const own = this.#stream;
    this.#stream = undefined;
    const events = own?.events ?? this.#services.engine.follow(responseId, this.#sequence, signal);
    const closeOwn = () => own?.close();
    signal.addEventListener('abort', closeOwn);
    const silence = setTimeout(() => this.#interrupt.abort(), silentMs);
    const overdueMs = runDeadline(this.stored.value).getTime() - Date.now();
    const overdue = isTerminal(this.stored.value)
      ? undefined
      : setTimeout(() => this.#interrupt.abort(), Math.max(0, overdueMs));
    await this.#attempt(async () => {
      for await (const event of events) {
        silence.refresh();
        await this.#process(responseId, event);
        if (this.#isRoundRead || this.isComplete || signal.aborted) break;
      }
    });
    clearTimeout(silence);
    clearTimeout(overdue);
    closeOwn();
  }

  async #process(responseId: string, event: EngineEvent): Promise<void> {
    const { sequence, step, delta, annotation, state } = event;
    // A resumed stream may repeat events.
    if (sequence <= this.#sequence) return;
    this.#current = sequence;
    if (step?.change === 'started') await this.#output.start(step);
    if (step?.change === 'finished') await this.#output.finish(step);
    if (delta) await this.#output.append(delta);
    if (annotation) this.#output.annotate(annotation);
    if (state) await this.#apply(responseId, state);
    this.#sequence = sequence;
    if (state && state.status !== 'queued') this.#release();
  }

  /** Applies a state of the round in the engine: saves a change of the run, then announces it. */
  async #apply(responseId: string, state: EngineRunState): Promise<void> {
    const hasEnded = isRoundEnd(state);
    if ('output' in state) await this.#output.complete(state.output ?? []);
    // Without subscribers, only the end is worth a round trip to the store.
    const isSaved = hasEnded || state.status === 'absent' || this.#hadSubscribers;
    if (this.#isLastRound() && isSaved) {
      this.adopt(await saveRun(this.#services, this.stored, changeTo(this.#services, responseId, state)));
    } else if (state.status === 'in_progress') {
      this.#services.liveRuns.starts.remember(this.stored.value, new Date());
    }
    // Of an earlier round that the engine has forgotten, nothing more can be learned.
    if (hasEnded || (state.status === 'absent' && !this.#isLastRound())) await this.#endRound(state);
    else this.#announce();
    this.#wakeups.wake();
  }

  /** Ends the round. If the run waits, announces what for, at the start of the next round. */
  async #endRound(state: EngineRunState): Promise<void> {
    const { value: run } = this.stored;
    if (state.status === 'requires_action' && isWaiting(run) && this.#isLastRound()) {
      const requiredAction = toRequiredAction(await this.#findConversationId(), state.calls);
      this.#announcedStatus = run.status;
      this.#add({ type: 'run', round: this.#round + 1, sequence: 0, run, requiredAction });
    }
    this.#isRoundRead = true;
    this.#release();
    if (isTerminal(run) && this.#isLastRound()) this.#complete();
  }

  async #poll(): Promise<void> {
    const { value: run } = this.stored;
    const hasEnded = isTerminal(run) || !this.#isLastRound();
    if (!hasEnded) await this.#pause(pollMs);
    if (this.#stop.signal.aborted) return;
    const responseId = this.#responseId() ?? '';
    this.#current = this.#sequence;
    const polled = await this.#attempt(async () => this.#apply(responseId, await this.#find(responseId)));
    // The end is recorded, so do not wait for details that the engine fails to report.
    if (isTerminal(run)) this.#isRoundRead = true;
    else if (hasEnded && polled.failed) await this.#pause(pollMs);
  }

  /** Reads the state of a round. One that waits is remembered longer than engines may keep it. */
  async #find(responseId: string): Promise<EngineRunState> {
    const { engine, liveRuns } = this.#services;
    const state = await engine.find(responseId, pollTimeoutMs);
    return state.status === 'absent' ? (liveRuns.rounds.find(responseId) ?? state) : state;
  }

  #findConversationId(): Promise<string> {
    this.#conversationId ??= this.#services.threads.find(this.stored.value).then(
      (thread) => {
        if (!thread) throw new AppError('run_not_found');
        return thread.value.conversationId;
      },
      (error) => {
        this.#conversationId = undefined;
        throw error;
      },
    );
    return this.#conversationId;
  }

  #add(entry: FeedEntry): void {
    this.entries.push(entry);
    this.#wakeups.wake();
  }

  #complete(): void {
    this.isComplete = true;
    this.#release();
  }

  /** Limits the time in which the rest of a terminal run's stream may arrive. */
  #limitDrain(): void {
    const cancelled = ['cancelled', 'expired'].includes(this.stored.value.status);
    this.#drain ??= setTimeout(
      () => {
        this.#complete();
        this.#interrupt.abort();
        this.#wakeups.wake();
      },
      cancelled ? cancelledDrainMs : drainMs,
    );
  }

  /** Stops keeping the feed open for its submission. */
  #release(): void {
    if (this.#hold === undefined) return;
    clearTimeout(this.#hold);
    this.#hold = undefined;
    this.#stopUnlessWanted(0);
  }

  #stopUnlessWanted(ms: number): void {
    if (this.#subscribers > 0 || this.#hold !== undefined) return;
    clearTimeout(this.#linger);
    if (ms === 0) this.#close();
    else this.#linger = setTimeout(() => this.#close(), ms).unref();
  }

  #close(): void {
    clearTimeout(this.#linger);
    this.isClosed = true;
    this.#onClose();
    this.#stop.abort();
    this.#interrupt.abort();
    this.#wakeups.wake();
  }

  async #pause(ms: number): Promise<void> {
    await scheduler.wait(ms, { signal: this.#interrupt.signal }).catch(() => undefined);
  }

  /** Does work that may fail temporarily. @throws {AppError} run_not_found, which ends the feed. */
  async #attempt<T>(work: () => Promise<T>): Promise<{ failed: false; value: T } | { failed: true }> {
    try {
      return { failed: false, value: await work() };
    } catch (error) {
      if (hasCode(error, 'run_not_found')) throw error;
      return { failed: true };
    }
  }
}

const isOverdue = (run: Run): boolean => !isTerminal(run) && Date.now() >= runDeadline(run).getTime();

const statusOrder: readonly RunStatus[] = ['queued', 'in_progress', 'requires_action'];

/** Ranks versions of an active run by the information they have. */
const knowledge = (run: Run): number =>
  8 * roundOf(run) + (run.responseId === undefined ? 0 : 1) + 2 * statusOrder.indexOf(run.status);
