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
 * One feed per run and worker serves everyone who waits for the run or reads its events. It reads the engine's stream
 * once, takes it up again where it broke, falls back to polling where there is none, records what changes, and keeps
 * all events of the run, so that a client may join or come back at any point.
 */

/** Something that happened to a run, in order. */
export type FeedEntry = {
  /** The engine's number of the event, or of the last one before what the engine told without a number. */
  readonly sequence: number;
} & (
  | { readonly type: 'run'; readonly run: Run }
  | {
      readonly type: 'delta';
      readonly messageId: string;
      /** Said on the way to the reply, not part of it. */
      readonly commentary: boolean;
      readonly text: string;
    }
);

export interface RunFeeds {
  /** Joins the feed of a run, which is opened if this worker has none. */
  subscribe(stored: Stored<Run>): Subscription;
  /**
   * Feeds a run from the stream of its own create, which is read until the engine works on the run, at most for 15 s:
   * a response whose stream is left earlier may stay queued for good (OpenAI community forum, topic 1382584).
   */
  accept(stored: Stored<Run>, stream: EngineStream): void;
  /** Takes note of what was recorded elsewhere in this worker. */
  recorded(stored: Stored<Run>): void;
}

/** One reader's hold on a feed. */
export interface Subscription {
  /** The run as last recorded, as far as the feed knows. */
  readonly stored: Stored<Run>;
  /** All entries so far, from the beginning of the run. */
  readonly entries: readonly FeedEntry[];
  /** Whether the run has ended and nothing is to be added; false for good when the run's row is gone. */
  readonly isComplete: boolean;
  /** Whether the feed has stopped, complete or not. */
  readonly isClosed: boolean;
  /** Resolves when anything above has changed, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  close(): void;
}

/** How long a create's stream is read at most, in milliseconds. */
const acceptMs = 15_000;

/** How long a feed outlives its last subscriber: a client that was told of a change usually waits for the next at once. */
const lingerMs = 5_000;

/** Between two polls of a run whose stream cannot be read. */
const pollMs = 1_000;

/** Between two reads of the record of a run that another request is just submitting. */
const submissionPollMs = 250;

/** Timeout of one poll. */
const pollTimeoutMs = 10_000;

/** A stream that is silent for so long is left, and the run is polled: it may have ended behind a dead connection. */
const silentMs = 15_000;

/** Longest pause before a stream that cannot be read is tried again. */
const maxRetryMs = 30_000;

/** How long the rest of a finished run's stream is waited for. What was stopped may never end in the engine. */
const drainMs = 10_000;
const stoppedDrainMs = 2_000;

interface MessageSoFar {
  readonly messageId: string;
  readonly commentary: boolean;
  text: string;
  part: number;
}

const isEnd = ({ status }: EngineRunState): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

const keyOf = ({ projectId, threadId, runId }: Run) => `${projectId}:${threadId}:${runId}`;

/** @param open gives a feed what it works with: no request's own stores, which end with the request. */
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
  /** Ends all work. */
  readonly #stop = new AbortController();
  /** Ends the present read of a stream or pause, after which the run is looked at anew. */
  #interrupt = new AbortController();
  /** Of the last event that was taken in as a whole. */
  #sequence = 0;
  /** Of the event that is being taken in. */
  #current = 0;
  /** Of the last `run` entry. A feed may open when its run is in progress already, and replays the run from its start. */
  #announcedStatus: RunStatus = 'queued';
  #subscribers = 0;
  #hadSubscribers = false;
  /** A create's own stream, until it is read. */
  #stream: EngineStream | undefined;
  /** Keeps the feed without subscribers. */
  #hold: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;
  #retryMs = 0;
  #retryAt = 0;
  /** The id of the thread's conversation, from which those of messages are made. */
  #conversationId: Promise<string | undefined> | undefined;

  constructor(services: RunServices, stored: Stored<Run>, onClose: () => void) {
    this.#services = services;
    this.stored = stored;
    this.#onClose = onClose;
    // On the next tick: whoever opens a feed subscribes to it, or brings the stream to read, first.
    setImmediate(() => void this.#run());
  }

  subscribe(): Subscription {
    this.#subscribers++;
    this.#hadSubscribers = true;
    clearTimeout(this.#linger);
    // Now, beside the engine's stream, so that the first text does not wait for it.
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

  /** Takes over a record that is newer than the one known. */
  adopt(stored: Stored<Run>): void {
    const [known, run] = [this.stored.value, stored.value];
    if (isTerminal(known) || stored.etag === this.stored.etag) return;
    // Of two unfinished ones the one that knows more is the newer.
    const isNewer = isTerminal(run) || knowledge(run) >= knowledge(known);
    if (!isNewer) return;
    this.stored = stored;
    if (isTerminal(run)) this.#limitDrain();
    this.#announce();
    this.#wake();
  }

  /** Adds the run's status to the entries when it is another one than they tell. */
  #announce(): void {
    const { value: run } = this.stored;
    if (isTerminal(run) || run.status === this.#announcedStatus) return;
    this.#announcedStatus = run.status;
    // Beyond 0, which every client has that has anything.
    this.entries.push({ type: 'run', sequence: Math.max(1, this.#current), run });
  }

  async #run(): Promise<void> {
    try {
      while (!this.isComplete && !this.#stop.signal.aborted) await this.#proceed();
    } catch (error) {
      // The run is gone, with its thread, so there is nothing left to tell.
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

  /** Does what the run's state asks for next, until that changes. */
  async #proceed(): Promise<void> {
    const run = this.stored.value;
    this.#interrupt = new AbortController();
    if (this.#stream === undefined && run.responseId === undefined) return this.#awaitSubmission();
    if (!isTerminal(run) && Date.now() >= runDeadline(run).getTime()) return this.#refresh();
    if (isTerminal(run)) this.#limitDrain();

    const before = this.#sequence;
    if (this.#stream !== undefined || Date.now() >= this.#retryAt) await this.#read();
    if (this.isComplete || this.#stop.signal.aborted) return;
    // The create's own stream has come, which tells more than a poll.
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

  /** Waits for the request that submits the run, in this worker or in another. */
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

  /** Ends an overdue run. */
  async #refresh(): Promise<void> {
    const refreshed = await this.#attempt(() => refreshRun(this.#services, this.stored));
    if (refreshed.failed) await this.#pause(pollMs);
    else this.adopt(refreshed.value);
  }

  /** Reads the engine's stream until it ends, breaks, falls silent or is interrupted. */
  async #read(): Promise<void> {
    const { responseId = '' } = this.stored.value;
    const { signal } = this.#interrupt;
    const own = this.#stream;
    this.#stream = undefined;
    const events = own?.events ?? this.#services.engine.follow(responseId, this.#sequence, signal);
    const leave = () => own?.close();
    signal.addEventListener('abort', leave);
    this.#stop.signal.addEventListener('abort', leave);
    const silence = setTimeout(() => this.#interrupt.abort(), silentMs);
    const overdueMs = runDeadline(this.stored.value).getTime() - Date.now();
    const overdue = isTerminal(this.stored.value)
      ? undefined
      : setTimeout(() => this.#interrupt.abort(), Math.max(0, overdueMs));
    await this.#attempt(async () => {
      for await (const event of events) {
        silence.refresh();
        await this.#take(event);
        if (this.isComplete || signal.aborted || this.#stop.signal.aborted) break;
      }
    });
    clearTimeout(silence);
    clearTimeout(overdue);
    own?.close();
    this.#stop.signal.removeEventListener('abort', leave);
  }

  async #take({ sequence, message, delta, state }: EngineEvent): Promise<void> {
    // A stream that is taken up again may repeat what was told before.
    if (sequence <= this.#sequence) return;
    this.#current = sequence;
    if (message) await this.#begin(message.itemId, message.commentary);
    if (delta && delta.text !== '') {
      const known = this.#messages.get(delta.itemId) ?? (await this.#begin(delta.itemId, false));
      // The parts of a message are lines of their own, as in the thread.
      const separator = delta.part !== known.part && known.text !== '' ? '\n' : '';
      known.part = delta.part;
      this.#append(known, separator + delta.text, sequence);
    }
    if (state) await this.#apply(state, sequence);
    this.#sequence = sequence;
    if (state && state.status !== 'queued') this.#release();
  }

  /** Takes in the state of the run in the engine: what changed is recorded, then told. */
  async #apply(state: EngineRunState, sequence: number | undefined): Promise<void> {
    const ends = isEnd(state);
    if (ends && 'reply' in state) await this.#appendRest(state.reply ?? [], sequence);
    // As long as nobody has asked for the run, only its end is worth a round trip to the store.
    if (ends || state.status === 'absent' || this.#hadSubscribers) {
      this.adopt(
        await saveRun(this.#services, this.stored, (run) => applyEngineState(run, state, new Date())),
      );
    }
    if (ends) this.#complete();
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
    // The end is recorded; what the engine cannot or does not tell of it any more is not waited for.
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

  /** Adds what the engine has of an ended run's reply and its stream did not bring. */
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

  /** Bounds the time in which the rest of a finished run's stream may come. */
  #limitDrain(): void {
    const stopped = ['cancelled', 'expired'].includes(this.stored.value.status);
    this.#drain ??= setTimeout(
      () => {
        this.#complete();
        this.#interrupt.abort();
        this.#wake();
      },
      stopped ? stoppedDrainMs : drainMs,
    );
  }

  /** Gives up the hold that a create has on the feed. */
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

  /** Does work that may fail for now; only a run that is gone ends the feed. */
  async #attempt<T>(work: () => Promise<T>): Promise<{ failed: false; value: T } | { failed: true }> {
    try {
      return { failed: false, value: await work() };
    } catch (error) {
      if (error instanceof AppError && error.code === 'run_not_found') throw error;
      return { failed: true };
    }
  }
}

/** How much an unfinished run's record knows. */
const knowledge = ({ responseId, status }: Run): number =>
  (responseId === undefined ? 0 : 1) + (status === 'in_progress' ? 2 : 0);
