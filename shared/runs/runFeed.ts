import { scheduler } from 'node:timers/promises';
import type { EngineEvent, EngineStream } from '../engine/engine.ts';
import { AppError } from '../errors.ts';
import { sealMessageId } from '../model/messageId.ts';
import type { Run, RunStatus } from '../model/run.ts';
import {
  applyEngineState,
  type EngineRunState,
  isTerminal,
  type ReplyMessage,
  runDeadline,
} from '../model/runState.ts';
import type { Stored } from '../model/stored.ts';
import { refreshRun, saveRun } from './refreshRun.ts';
import type { RunServices } from './runServices.ts';

/*
 * One feed per run and worker serves all clients that wait for the run or read its events. It reads the engine's stream
 * once, resumes it after a break, falls back to polling without one, records changes of the run, and keeps all events,
 * so that a client can join or resume at any point.
 */

/** An event of a run. */
export type FeedEntry = {
  /** The engine's sequence number of the event; for polled data, that of the event before. */
  readonly sequence: number;
} & (
  | { readonly type: 'run'; readonly run: Run }
  | {
      readonly type: 'delta';
      readonly messageId: string;
      /** Whether the message is commentary on the work in progress, not part of the reply. */
      readonly commentary: boolean;
      readonly text: string;
    }
);

export interface RunFeeds {
  /** Subscribes to the feed of a run; opens it if this worker has none. */
  subscribe(stored: Stored<Run>): Subscription;
  /**
   * Reads the stream of a run's create until the run is in progress, for at most 15 s: if the stream is closed earlier,
   * the response may stay queued forever (OpenAI community forum, topic 1382584).
   */
  accept(stored: Stored<Run>, stream: EngineStream): void;
  /** Passes a newer version of a run, saved elsewhere in this worker, to its feed, if there is one. */
  recorded(stored: Stored<Run>): void;
}

/** A reader's subscription to a feed. */
export interface Subscription {
  /** The newest version of the run that the feed has seen. */
  readonly stored: Stored<Run>;
  /** All entries so far, from the start of the run. */
  readonly entries: readonly FeedEntry[];
  /** Whether the run has ended and its entries are complete; stays false if the run is deleted. */
  readonly isComplete: boolean;
  /** Whether the feed has stopped, complete or not. */
  readonly isClosed: boolean;
  /** Resolves when one of the properties has changed or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Maximum time a create's stream is read without subscribers, in milliseconds. */
const acceptMs = 15_000;

/** How long a feed outlives its last subscriber, in milliseconds: clients usually wait again after a change. */
const lingerMs = 5_000;

/** Interval between two polls of a run whose stream cannot be read, in milliseconds. */
const pollMs = 1_000;

/** Interval between two reads of a run that another request is submitting, in milliseconds. */
const submissionPollMs = 250;

/** Timeout of one poll, in milliseconds. */
const pollTimeoutMs = 10_000;

/** Idle timeout of a stream, in milliseconds; then the run is polled, since the connection may be dead. */
const silentMs = 15_000;

/** Maximum delay before an unreadable stream is retried, in milliseconds. */
const maxRetryMs = 30_000;

/** How long the rest of a terminal run's stream is awaited, in milliseconds; a cancelled one may never end. */
const drainMs = 10_000;
const cancelledDrainMs = 2_000;

interface MessageSoFar {
  readonly messageId: string;
  readonly commentary: boolean;
  text: string;
  part: number;
}

const isEngineTerminal = ({ status }: EngineRunState): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

const keyOf = ({ projectId, threadId, runId }: Run) => `${projectId}:${threadId}:${runId}`;

/** @param open returns the services of a feed. They must not be bound to a request, because a feed outlives it. */
export function createRunFeeds(open: () => RunServices): RunFeeds {
  const feeds = new Map<string, RunFeed>();

  const feedOf = (stored: Stored<Run>): RunFeed => {
    const key = keyOf(stored.value);
    const known = feeds.get(key);
    if (known) {
      known.adopt(stored);
      return known;
    }
    const feed = new RunFeed(open(), stored, () => {
      if (feeds.get(key) === feed) feeds.delete(key);
    });
    feeds.set(key, feed);
    return feed;
  };

  return {
    subscribe: (stored) => feedOf(stored).subscribe(),
    accept: (stored, stream) => feedOf(stored).accept(stream),
    recorded: (stored) => feeds.get(keyOf(stored.value))?.adopt(stored),
  };
}

class RunFeed {
  stored: Stored<Run>;
  readonly entries: FeedEntry[] = [];
  isComplete = false;
  isClosed = false;

  readonly #services: RunServices;
  readonly #onClose: () => void;
  readonly #wakeups = new Set<() => void>();
  readonly #messages = new Map<string, MessageSoFar>();
  /** Stops the feed. */
  readonly #stop = new AbortController();
  /** Ends the current read or pause: the run is processed again, unless the feed is stopped. */
  #interrupt = new AbortController();
  /** Sequence number of the last event that was fully processed. */
  #sequence = 0;
  /** Sequence number of the event being processed. */
  #current = 0;
  /** Status in the last `run` entry. `queued` at first even for a run in progress: a feed replays its run. */
  #announcedStatus: RunStatus = 'queued';
  #subscribers = 0;
  #hadSubscribers = false;
  /** The create's stream, until it is read. */
  #stream: EngineStream | undefined;
  /** Keeps the feed open without subscribers. */
  #hold: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;
  #retryMs = 0;
  #retryAt = 0;
  /** The id of the thread's conversation, from which message ids are derived. */
  #conversationId: Promise<string | undefined> | undefined;

  constructor(services: RunServices, stored: Stored<Run>, onClose: () => void) {
    this.#services = services;
    this.stored = stored;
    this.#onClose = onClose;
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
      changed: (signal) => this.#changed(signal),
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        this.#subscribers--;
        this.#stopUnlessWanted(lingerMs);
      },
    };
  }

  accept(stream: EngineStream): void {
    this.#stream = stream;
    this.#hold = setTimeout(() => this.#release(), acceptMs).unref();
    this.#interrupt.abort();
  }

  /** Adopts a version of the run if it is newer than the known one. */
  adopt(stored: Stored<Run>): void {
    const [known, run] = [this.stored.value, stored.value];
    if (stored.etag === this.stored.etag) return;
    if (isTerminal(known)) {
      // An end is final; only the run's metadata can be newer.
      if (isTerminal(run)) this.stored = stored;
      return;
    }
    // Of two active versions, the one with more information is newer.
    const isNewer = isTerminal(run) || knowledge(run) >= knowledge(known);
    if (!isNewer) return;
    this.stored = stored;
    if (isTerminal(run)) this.#limitDrain();
    this.#announce();
    this.#wake();
  }

  /** Adds a `run` entry when the run's status differs from that of the last one. */
  #announce(): void {
    const { value: run } = this.stored;
    if (isTerminal(run) || run.status === this.#announcedStatus) return;
    this.#announcedStatus = run.status;
    // At least 1, since 0 is the position of a client that has received nothing but the first event.
    this.entries.push({ type: 'run', sequence: Math.max(1, this.#current), run });
  }

  async #run(): Promise<void> {
    try {
      while (!this.isComplete && !this.#stop.signal.aborted) await this.#proceed();
    } catch (error) {
      // If the run was deleted with its thread, there is nothing to report.
      if (!(error instanceof AppError && error.code === 'run_not_found')) {
        this.#services.log({ event: 'run_feed_failed', error: (error as Error).name });
      }
    }
    clearTimeout(this.#hold);
    clearTimeout(this.#drain);
    this.#stream?.close();
    if (!this.isComplete) this.#close();
    else this.#stopUnlessWanted(lingerMs);
    this.#wake();
  }

  /** Does the next step for the state of the run: waits, reads the stream, polls or expires it. */
  async #proceed(): Promise<void> {
    const run = this.stored.value;
    this.#interrupt = new AbortController();
    if (this.#stream === undefined && run.responseId === undefined) return this.#awaitSubmission();
    if (!isTerminal(run) && Date.now() >= runDeadline(run).getTime()) return this.#refresh();
    if (isTerminal(run)) this.#limitDrain();

    const before = this.#sequence;
    if (this.#stream !== undefined || Date.now() >= this.#retryAt) await this.#read();
    if (this.isComplete || this.#stop.signal.aborted) return;
    // The create's stream has arrived; prefer it to a poll.
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

  /** Waits until the run has been submitted, by a request of this worker or of another one. */
  async #awaitSubmission(): Promise<void> {
    if (isTerminal(this.stored.value)) return this.#complete();
    await this.#pause(submissionPollMs);
    if (this.#stream !== undefined || this.#stop.signal.aborted) return;
    if (Date.now() >= runDeadline(this.stored.value).getTime()) return this.#refresh();
    const current = await this.#attempt(() => this.#services.runs.find(this.stored.value));
    if (current.failed) return;
    if (!current.value) throw new AppError('run_not_found');
    this.adopt(current.value);
  }

  /** Expires an overdue run. */
  async #refresh(): Promise<void> {
    const refreshed = await this.#attempt(() => refreshRun(this.#services, this.stored));
    if (refreshed.failed) await this.#pause(pollMs);
    else this.adopt(refreshed.value);
  }

  /** Reads the engine's stream until it ends, breaks, times out or is interrupted. */
  async #read(): Promise<void> {
    const { responseId = '' } = this.stored.value;
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
        await this.#process(event);
        if (this.isComplete || signal.aborted) break;
      }
    });
    clearTimeout(silence);
    clearTimeout(overdue);
    closeOwn();
  }

  async #process({ sequence, message, delta, state }: EngineEvent): Promise<void> {
    // A resumed stream may repeat events.
    if (sequence <= this.#sequence) return;
    this.#current = sequence;
    if (message) await this.#begin(message.itemId, message.commentary);
    if (delta && delta.text !== '') {
      const known = this.#messages.get(delta.itemId) ?? (await this.#begin(delta.itemId, false));
      // Separate the parts of a message by line breaks, as in the thread.
      const separator = delta.part !== known.part && known.text !== '' ? '\n' : '';
      known.part = delta.part;
      this.#append(known, separator + delta.text, sequence);
    }
    if (state) await this.#apply(state, sequence);
    this.#sequence = sequence;
    if (state && state.status !== 'queued') this.#release();
  }

  /** Applies a state of the run in the engine: saves a change, then announces it. */
  async #apply(state: EngineRunState, sequence: number | undefined): Promise<void> {
    const hasEnded = isEngineTerminal(state);
    if (hasEnded && 'reply' in state) await this.#appendRest(state.reply ?? [], sequence);
    // Without subscribers, only the end is worth a round trip to the store.
    if (hasEnded || state.status === 'absent' || this.#hadSubscribers) {
      this.adopt(
        await saveRun(this.#services, this.stored, (run) => applyEngineState(run, state, new Date())),
      );
    }
    if (hasEnded) this.#complete();
    else this.#announce();
    this.#wake();
  }

  async #poll(): Promise<void> {
    const { value: run } = this.stored;
    if (!isTerminal(run)) await this.#pause(pollMs);
    if (this.#stop.signal.aborted) return;
    const { responseId = '' } = this.stored.value;
    const polled = await this.#attempt(async () =>
      this.#apply(await this.#services.engine.find(responseId, pollTimeoutMs), undefined),
    );
    // The end is recorded, so do not wait for details that the engine fails to report.
    if (isTerminal(run) && !this.isComplete && (polled.failed || isTerminal(this.stored.value)))
      this.#complete();
  }

  async #begin(itemId: string, commentary: boolean): Promise<MessageSoFar> {
    const message = { messageId: await this.#messageIdOf(itemId), commentary, text: '', part: 0 };
    this.#messages.set(itemId, message);
    return message;
  }

  async #messageIdOf(itemId: string): Promise<string> {
    const conversationId = await this.#findConversationId();
    if (conversationId === undefined) throw new AppError('run_not_found');
    return sealMessageId(conversationId, itemId);
  }

  #findConversationId(): Promise<string | undefined> {
    this.#conversationId ??= this.#services.threads.find(this.stored.value).then(
      (thread) => thread?.value.conversationId,
      (error) => {
        this.#conversationId = undefined;
        throw error;
      },
    );
    return this.#conversationId;
  }

  /** Appends the text of an ended run's reply that its stream did not deliver. */
  async #appendRest(reply: readonly ReplyMessage[], sequence: number | undefined): Promise<void> {
    for (const { itemId, commentary, text } of reply) {
      const message = this.#messages.get(itemId) ?? (await this.#begin(itemId, commentary));
      if (text.length > message.text.length && text.startsWith(message.text)) {
        this.#append(message, text.slice(message.text.length), sequence ?? this.#sequence);
      }
    }
  }

  #append(message: MessageSoFar, text: string, sequence: number): void {
    message.text += text;
    const { messageId, commentary } = message;
    this.entries.push({ type: 'delta', sequence, messageId, commentary, text });
    this.#wake();
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
        this.#wake();
      },
      cancelled ? cancelledDrainMs : drainMs,
    );
  }

  /** Stops keeping the feed open for its create. */
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
    this.#wake();
  }

  #wake(): void {
    for (const wakeUp of this.#wakeups) wakeUp();
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        this.#wakeups.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.#wakeups.add(end);
      signal.addEventListener('abort', end);
    });
  }

  async #pause(ms: number): Promise<void> {
    await scheduler.wait(ms, { signal: this.#interrupt.signal }).catch(() => undefined);
  }

  /** Does work that may fail temporarily. @throws {AppError} run_not_found, which ends the feed. */
  async #attempt<T>(work: () => Promise<T>): Promise<{ failed: false; value: T } | { failed: true }> {
    try {
      return { failed: false, value: await work() };
    } catch (error) {
      if (error instanceof AppError && error.code === 'run_not_found') throw error;
      return { failed: true };
    }
  }
}

/** Ranks versions of an active run by the information they have. */
const knowledge = ({ responseId, status }: Run): number =>
  (responseId === undefined ? 0 : 1) + (status === 'in_progress' ? 2 : 0);
