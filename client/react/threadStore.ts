import {
  ApiError,
  type Client,
  type CreatedRun,
  type Run,
  type RunEvent,
  RunFailedError,
  type Step,
  type ThreadMessages,
  type ToolOutputsRequest,
} from '../src/index.ts';
import {
  type Draft,
  emptyReply,
  GivenOutputs,
  GrowingText,
  mergePage,
  newDraft,
  prependPage,
  type SubmitOptions,
  type ThreadMessage,
  toMessage,
  toolMessage,
  toRequest,
  withOutputs,
} from './messages.ts';

/** A run of this thread; `expiresAt` is missing until the first event of a new run. */
export type ThreadRun = Omit<Run, 'expiresAt' | 'instructions' | 'userMessage'> &
  Partial<Pick<Run, 'expiresAt'>>;

/**
 * What the thread is doing: the status of its unfinished run, or
 * - `loading`: its messages are read for the first time
 * - `submitting`: a message or what the run waits for is on its way
 * - `ready`: nothing
 */
export type ThreadStatus = 'loading' | 'ready' | 'submitting' | 'queued' | 'in_progress' | 'requires_action';

/** A thread at one moment. Immutable. */
export interface ThreadSnapshot {
  /** Null until the first message has created the thread. */
  readonly threadId: string | null;
  /** Oldest first, the growing reply among them. */
  readonly messages: readonly ThreadMessage[];
  /** The run that is under way, or the last one that was while the page was open. */
  readonly run: ThreadRun | null;
  /** What that run did so far, without its messages. */
  readonly steps: readonly Step[];
  readonly status: ThreadStatus;
  /** What went wrong last: of a request, or a `RunFailedError` of the run. Null after the next success. */
  readonly error: Error | null;
  /** Whether the messages are read for the first time. */
  readonly isLoading: boolean;
  /** Whether a message can be submitted: nothing else is under way. */
  readonly canSubmit: boolean;
  /** Whether `retry` would do anything. */
  readonly canRetry: boolean;
  /** Whether there are messages before the first one. */
  readonly hasEarlier: boolean;
  readonly isLoadingEarlier: boolean;
}

/** What can be done with a thread. None of these throws or rejects; failures are the snapshot's `error`. */
export interface ThreadActions {
  /**
   * Shows a message at once and posts it. Without a thread, creates it.
   * @returns false, and nothing happens, if the text is blank or something is under way (`canSubmit`).
   */
  submit(message: string, options?: SubmitOptions): boolean;
  /** Cancels the run that is under way, also one whose create is. */
  cancel(): Promise<void>;
  /**
   * Gives outputs of functions and decisions on approvals, all at once or one by one: they are submitted together when
   * nothing is missing any more.
   */
  respond(outputs: ToolOutputsRequest): Promise<void>;
  /**
   * Repeats what failed: a message that was not sent (with its key, so that there is one run at most), outputs, reading the
   * thread. If the last run failed, expired or was cancelled, posts its message again.
   * @returns false if there is nothing to repeat.
   */
  retry(): boolean;
  /** Removes a message that was not sent. @returns its text, to be edited; undefined if there is no such message. */
  discard(id: string): string | undefined;
  /** Reads the newest messages, and follows a run that another page has started. */
  refresh(): Promise<void>;
  /** Reads the messages before the first one. */
  loadEarlier(): Promise<void>;
}

/** A thread as the hook shows it, without React. It is connected while it has a listener. */
export interface ThreadStore extends ThreadActions {
  /** @returns a function that removes the listener. */
  subscribe(listener: () => void): () => void;
  /** Returns the same object until something changes. */
  getSnapshot(): ThreadSnapshot;
  /** Listens to the events of the run that is followed; those of a run that is followed again come again. */
  onEvent(listener: (event: RunEvent) => void): () => void;
  /** Listens to the creation of the thread. */
  onCreated(listener: (threadId: string) => void): () => void;
}

/** Messages of a page. */
const pageSize = 50;

/** How long changes may wait to be shown together, in milliseconds. */
const maxFrameMs = 100;

/** What browsers have, and other platforms may not. */
const platform = globalThis as {
  readonly requestAnimationFrame?: (callback: () => void) => number;
  readonly cancelAnimationFrame?: (frame: number) => void;
  readonly document?: EventTarget & { readonly visibilityState: string };
  readonly addEventListener?: EventTarget['addEventListener'];
};

const isTerminal = ({ completedAt }: { completedAt: string | null }): boolean => completedAt !== null;

/** Creates a store of one thread, or of one that the first message creates. */
export function createThreadStore(client: Client, threadId: string | null): ThreadStore {
  return new Store(client, threadId);
}

/** How many stores without a listener are kept, so that a thread is shown at once when its page is opened again. */
const idleStores = 20;

const stores = new WeakMap<Client, Map<string, Store>>();

/**
 * Returns the store of a thread, the same to all who ask with the same client: they share one connection. Of the
 * stores without a listener only the latest are kept, and those with a message that was not sent.
 */
export function getThreadStore(client: Client, threadId: string): ThreadStore {
  const known = storesOf(client);
  const store = known.get(threadId) ?? new Store(client, threadId);
  remember(known, threadId, store);
  return store;
}

function storesOf(client: Client): Map<string, Store> {
  const known = stores.get(client) ?? new Map<string, Store>();
  stores.set(client, known);
  return known;
}

/** Makes a store the newest one, and forgets the oldest idle ones. */
function remember(known: Map<string, Store>, threadId: string, store: Store): void {
  known.delete(threadId);
  known.set(threadId, store);
  const idle = [...known].filter(([, { isIdle }]) => isIdle);
  for (const [id] of idle.slice(0, -idleStores)) known.delete(id);
}

class Store implements ThreadStore {
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  readonly #eventListeners = new Set<(event: RunEvent) => void>();
  readonly #createdListeners = new Set<(threadId: string) => void>();

  #threadId: string | null;
  #messages: readonly ThreadMessage[] = [];
  #run: ThreadRun | null = null;
  #steps: readonly Step[] = [];
  /** Failure of a create, of outputs or of a cancellation; gone with the next attempt. */
  #sendError: Error | null = null;
  /** Failure to read the thread or the run's events; gone with the next success. */
  #readError: Error | null = null;
  #runError: RunFailedError | null = null;
  #isLoaded: boolean;
  #earlierCursor: string | null = null;
  #isLoadingEarlier = false;

  /** Messages that are not known to be sent, by id. */
  readonly #drafts = new Map<string, Draft>();
  /** The latest message sent from here, to be posted again if its run fails. */
  #sent: (Draft & { readonly runId: string }) | undefined;
  /** Whether a message or outputs are on their way. */
  #isSubmitting = false;
  #cancelsNext = false;
  #given = new GivenOutputs();
  /** Texts of the run that is followed, by the message's id in the service. */
  readonly #texts = new Map<string, GrowingText>();
  readonly #grown = new Set<string>();

  /** Ends what only listeners need. */
  #connection: AbortController | undefined;
  #followed: { readonly runId: string; readonly controller: AbortController } | undefined;
  #reading: AbortController | undefined;

  #snapshot: ThreadSnapshot;
  #cancelFrame: (() => void) | undefined;

  constructor(client: Client, threadId: string | null) {
    this.#client = client;
    this.#threadId = threadId;
    this.#isLoaded = threadId === null;
    this.#snapshot = this.#toSnapshot();
  }

  /** Whether it can be forgotten. */
  get isIdle(): boolean {
    return this.#listeners.size === 0 && this.#drafts.size === 0;
  }

  readonly getSnapshot = (): ThreadSnapshot => this.#snapshot;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    // Later, because Strict Mode, and the change from one page to another, remove a listener and add one at once.
    queueMicrotask(this.#adjustConnection);
    return () => {
      this.#listeners.delete(listener);
      queueMicrotask(this.#adjustConnection);
    };
  };

  readonly onEvent = (listener: (event: RunEvent) => void): (() => void) => {
    this.#eventListeners.add(listener);
    return () => void this.#eventListeners.delete(listener);
  };

  readonly onCreated = (listener: (threadId: string) => void): (() => void) => {
    this.#createdListeners.add(listener);
    return () => void this.#createdListeners.delete(listener);
  };

  readonly submit = (message: string, options: SubmitOptions = {}): boolean => {
    if (!this.#snapshot.canSubmit || message.trim() === '') return false;
    const draft = newDraft(message, options);
    this.#drafts.set(draft.id, draft);
    this.#messages = [...this.#messages, toMessage(draft)];
    void this.#send(draft);
    return true;
  };

  readonly cancel = async (): Promise<void> => {
    const runId = this.#activeRunId();
    if (this.#threadId === null || runId === undefined) {
      this.#cancelsNext = this.#isSubmitting;
      return;
    }
    this.#sendError = null;
    try {
      this.#applyRun(await this.#client.runs.cancel(this.#threadId, runId));
    } catch (error) {
      // It ended by itself, and its events say how.
      if (!isCode(error, 'run_finished')) this.#sendError = toError(error);
    }
    this.#publish();
  };

  readonly respond = async (outputs: ToolOutputsRequest): Promise<void> => {
    this.#given.add(outputs);
    this.#messages = this.#messages.map((message) =>
      message.status === 'waiting' ? withOutputs(message, this.#given) : message,
    );
    this.#publish();
    await this.#submitOutputs();
  };

  readonly retry = (): boolean => {
    const again = this.#toRetry();
    again?.();
    return again !== undefined;
  };

  readonly discard = (id: string): string | undefined => {
    const message = this.#messages.find((shown) => shown.id === id && shown.status === 'failed');
    if (!message) return undefined;
    this.#drop(message.id);
    this.#messages = this.#messages.filter((shown) => shown !== message);
    this.#publish();
    return message.content;
  };

  readonly refresh = async (): Promise<void> => {
    const threadId = this.#threadId;
    if (threadId === null || !this.#connection) return;
    // The thread may have changed since an earlier request was sent, so that one no longer counts.
    this.#reading?.abort();
    const reading = new AbortController();
    this.#reading = reading;
    try {
      const page = await this.#readPage(threadId, null, reading.signal);
      if (reading.signal.aborted) return;
      this.#applyPage(page);
      this.#readError = null;
      const runId = page.activeRunId ?? this.#activeRunId();
      if (runId !== undefined) this.#follow(threadId, runId);
    } catch (error) {
      if (reading.signal.aborted) return;
      this.#readError = toError(error);
    }
    this.#publish();
  };

  readonly loadEarlier = async (): Promise<void> => {
    const cursor = this.#earlierCursor;
    const signal = this.#connection?.signal;
    if (this.#threadId === null || cursor === null || !signal || this.#isLoadingEarlier) return;
    this.#isLoadingEarlier = true;
    this.#publish();
    try {
      const page = await this.#readPage(this.#threadId, cursor, signal);
      // Meanwhile the messages may have been replaced.
      if (!signal.aborted && this.#earlierCursor === cursor) {
        this.#messages = prependPage(this.#messages, page.messages);
        this.#earlierCursor = page.hasMore ? page.lastId : null;
        this.#readError = null;
      }
    } catch (error) {
      if (!signal.aborted) this.#readError = toError(error);
    }
    this.#isLoadingEarlier = false;
    this.#publish();
  };

  readonly #adjustConnection = (): void => {
    if (this.#listeners.size > 0 === (this.#connection !== undefined)) return;
    if (this.#connection) {
      this.#connection.abort();
      this.#connection = undefined;
      this.#reading?.abort();
      this.#followed?.controller.abort();
      this.#followed = undefined;
      return;
    }
    this.#connection = new AbortController();
    listenToReturn(this.#connection.signal, () => {
      if (!this.#followed) void this.refresh();
    });
    void this.refresh();
  };

  /** Sends a message. The request goes on when nobody listens any more: the user has sent it. */
  async #send(draft: Draft): Promise<void> {
    this.#isSubmitting = true;
    this.#cancelsNext = false;
    this.#sendError = null;
    this.#update(draft.id, { status: 'pending' });
    this.#publish();
    const hadThread = this.#threadId !== null;
    try {
      const run = await this.#create(draft);
      this.#drafts.delete(draft.id);
      this.#sent = { ...draft, runId: run.runId };
      this.#update(draft.id, { status: 'sent', createdAt: run.createdAt });
      this.#applyRun(run);
    } catch (error) {
      this.#update(draft.id, { status: 'failed' });
      this.#sendError = toError(error);
      // Another page has started a run: show it.
      if (isCode(error, 'thread_busy')) void this.refresh();
    }
    this.#isSubmitting = false;
    this.#publish();
    if (!hadThread && this.#threadId !== null)
      for (const listener of this.#createdListeners) listener(this.#threadId);
    if (this.#cancelsNext) await this.cancel();
  }

  async #create(draft: Draft): Promise<CreatedRun> {
    const { idempotencyKey } = draft;
    if (this.#threadId !== null)
      return this.#client.runs.create(this.#threadId, toRequest(draft), { idempotencyKey });
    const { threadId, run } = await this.#client.threads.create(toRequest(draft), { idempotencyKey });
    if (!run) throw new Error('The service created a thread without the run of its message');
    this.#threadId = threadId;
    remember(storesOf(this.#client), threadId, this);
    return run;
  }

  /** Submits what the run waits for, if nothing is missing. */
  async #submitOutputs(): Promise<void> {
    const run = this.#run;
    const request = run?.requiredAction && this.#given.toRequest(run.requiredAction);
    if (!request || this.#threadId === null || this.#isSubmitting) return;
    this.#isSubmitting = true;
    this.#sendError = null;
    this.#publish();
    try {
      const next = await this.#client.runs.submitToolOutputs(this.#threadId, run.runId, request);
      // Unless an event was faster, and says more.
      if (this.#run === run) this.#applyRun(next);
    } catch (error) {
      this.#sendError = toError(error);
      // Another page has responded.
      if (isCode(error, 'run_not_waiting')) {
        this.#given = new GivenOutputs();
        void this.refresh();
      }
    }
    this.#isSubmitting = false;
    this.#publish();
  }

  /** Returns what `retry` does. */
  #toRetry(): (() => void) | undefined {
    if (this.#isSubmitting) return undefined;
    const run = this.#run;
    if (run?.requiredAction && this.#given.toRequest(run.requiredAction))
      return () => void this.#submitOutputs();
    if (this.#readError) return () => void this.refresh();
    if (this.#activeRunId() !== undefined) return undefined;
    const draft = [...this.#drafts.values()].at(-1);
    if (draft) return () => void this.#send(draft);
    if (!run || run.status === 'completed') return undefined;
    if (this.#sent?.runId === run.runId) {
      const { message, options } = this.#sent;
      return () => void this.submit(message, options);
    }
    const last = this.#messages.findLast(({ role }) => role === 'user');
    if (!last) return undefined;
    const attachments = last.attachments.map((file) => ({ ...file, mediaType: `${file.type}/` }));
    return () => void this.submit(last.content, { attachments });
  }

  /** Reads a page of messages and returns it oldest first. A page can be empty although more follow. */
  async #readPage(threadId: string, cursor: string | null, signal: AbortSignal): Promise<ThreadMessages> {
    let after = cursor;
    while (true) {
      const query = { order: 'desc', limit: pageSize, ...(after !== null && { after }) } as const;
      const page = await this.#client.threads.get(threadId, query, { signal });
      if (page.messages.length > 0 || !page.hasMore || page.lastId === null)
        return { ...page, messages: page.messages.toReversed() };
      after = page.lastId;
    }
  }

  #applyPage(page: ThreadMessages): void {
    const { messages, isFromStart } = mergePage(this.#messages, page.messages);
    this.#messages = messages;
    if (isFromStart) this.#earlierCursor = page.hasMore ? page.lastId : null;
    this.#isLoaded = true;
    // What has turned out to be sent need not be sent again.
    for (const id of this.#drafts.keys())
      if (messages.some((message) => message.id === id && message.status === 'sent')) this.#drop(id);
  }

  #drop(draftId: string): void {
    this.#drafts.delete(draftId);
    if (this.#drafts.size === 0) this.#sendError = null;
  }

  /** Follows a run until it ends, or nobody listens any more. */
  #follow(threadId: string, runId: string): void {
    if (!this.#connection || this.#followed?.runId === runId || this.#isEnded(runId)) return;
    this.#followed?.controller.abort();
    const controller = new AbortController();
    this.#followed = { runId, controller };
    // The events begin at the beginning again.
    this.#texts.clear();
    void this.#readEvents(threadId, runId, controller.signal);
  }

  async #readEvents(threadId: string, runId: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of this.#client.runs.follow(threadId, runId, { signal })) {
        if (signal.aborted) return;
        this.#readError = null;
        this.#applyEvent(runId, event);
        this.#schedule();
        for (const listener of this.#eventListeners) listener(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#readError = toError(error);
    }
    if (this.#followed?.controller.signal === signal) this.#followed = undefined;
    this.#publish();
  }

  #applyEvent(runId: string, { event, data }: RunEvent): void {
    switch (event) {
      case 'run':
        this.#applyRun(data);
        break;
      case 'message.start':
        this.#ensureReply(runId, data.messageId, data.commentary);
        break;
      case 'message.delta':
        this.#addText(runId, data.messageId, 'text', data.delta);
        break;
      case 'commentary.delta':
        this.#addText(runId, data.messageId, 'text', data.delta, true);
        break;
      case 'refusal.delta':
        this.#addText(runId, data.messageId, 'refusal', data.delta);
        break;
      case 'message.end':
        this.#update(data.messageId, { status: 'complete' });
        break;
      case 'step':
        this.#steps = [...this.#steps.filter(({ stepId }) => stepId !== data.step.stepId), data.step];
    }
  }

  /** Shows a reply in its place, if it is not shown yet. */
  #ensureReply(runId: string, messageId: string, commentary: boolean): void {
    const shown = this.#messages.findLast((message) => message.messageId === messageId);
    if (shown) this.#update(shown.id, { runId, commentary });
    else this.#append(emptyReply(messageId, runId, commentary));
  }

  #addText(
    runId: string,
    messageId: string,
    type: 'text' | 'refusal',
    delta: string,
    commentary = false,
  ): void {
    const text = this.#texts.get(messageId) ?? new GrowingText();
    this.#texts.set(messageId, text);
    this.#ensureReply(runId, messageId, commentary);
    text.add(type, delta);
    this.#grown.add(messageId);
  }

  /** Takes over the state of a run, unless it is an older one. */
  #applyRun(run: ThreadRun): void {
    const last = this.#run;
    if (last && (last.createdAt > run.createdAt || this.#isEnded(run.runId))) return;
    if (last?.runId !== run.runId) {
      this.#steps = [];
      this.#given = new GivenOutputs();
    }
    this.#run = run;
    const { runId, requiredAction } = run;
    const asked = requiredAction && withOutputs(toolMessage(runId, requiredAction), this.#given);
    const end = isTerminal(run) && run.status !== 'completed' ? 'incomplete' : 'complete';
    this.#messages = this.#messages.map((message) => {
      const isOver =
        message.status === 'waiting'
          ? message.id !== asked?.id
          : message.status === 'streaming' && isTerminal(run);
      return isOver ? { ...message, status: end } : message;
    });
    if (asked && !this.#messages.some(({ id }) => id === asked.id)) this.#append(asked);
    // Events of a run that is followed again begin with its states before this one.
    else if (asked) this.#update(asked.id, { status: 'waiting' });
    const isFailed = run.status === 'failed' || run.status === 'expired';
    this.#runError = isFailed ? new RunFailedError(run as Run) : null;
    if (isTerminal(run)) void this.refresh();
    else if (this.#threadId !== null) this.#follow(this.#threadId, runId);
  }

  #isEnded(runId: string): boolean {
    return this.#run?.runId === runId && isTerminal(this.#run);
  }

  /** The run that is under way, as far as is known. */
  #activeRunId(): string | undefined {
    if (this.#run && !isTerminal(this.#run)) return this.#run.runId;
    return this.#followed && !this.#isEnded(this.#followed.runId) ? this.#followed.runId : undefined;
  }

  /** Adds a message after all that were sent. */
  #append(message: ThreadMessage): void {
    const sent = this.#messages.findLastIndex(({ status }) => status !== 'failed') + 1;
    this.#messages = [...this.#messages.slice(0, sent), message, ...this.#messages.slice(sent)];
  }

  #update(id: string, changes: Partial<ThreadMessage>): void {
    const index = this.#messages.findLastIndex((message) => message.id === id);
    const message = this.#messages[index];
    const next = { ...message, ...changes } as ThreadMessage;
    // Called with each piece of a reply, it has rarely anything to do.
    if (message && Object.keys(changes).some((key) => message[key as 'id'] !== next[key as 'id']))
      this.#messages = this.#messages.with(index, next);
  }

  /** Shows changes with the next frame: deltas come faster than anybody reads. */
  #schedule(): void {
    if (this.#cancelFrame) return;
    const publish = () => this.#publish();
    // A page that is not visible has no frames.
    const timer = setTimeout(publish, maxFrameMs);
    const frame = platform.requestAnimationFrame?.(publish);
    this.#cancelFrame = () => {
      clearTimeout(timer);
      if (frame !== undefined) platform.cancelAnimationFrame?.(frame);
    };
  }

  #publish(): void {
    this.#cancelFrame?.();
    this.#cancelFrame = undefined;
    if (this.#grown.size > 0)
      this.#messages = this.#messages.map((message) => {
        const text =
          message.messageId !== null &&
          this.#grown.has(message.messageId) &&
          this.#texts.get(message.messageId);
        return text ? text.applyTo(message) : message;
      });
    this.#grown.clear();
    this.#snapshot = this.#toSnapshot();
    for (const listener of [...this.#listeners]) listener();
  }

  #toSnapshot(): ThreadSnapshot {
    const error = this.#sendError ?? this.#readError ?? this.#runError;
    const isLoading = !this.#isLoaded && !error;
    const status = this.#toStatus(isLoading);
    return {
      threadId: this.#threadId,
      messages: this.#messages,
      run: this.#run,
      steps: this.#steps,
      status,
      error,
      isLoading,
      canSubmit: status === 'ready',
      canRetry: this.#toRetry() !== undefined,
      hasEarlier: this.#earlierCursor !== null,
      isLoadingEarlier: this.#isLoadingEarlier,
    };
  }

  #toStatus(isLoading: boolean): ThreadStatus {
    if (this.#isSubmitting) return 'submitting';
    if (this.#run && !isTerminal(this.#run)) return this.#run.status as ThreadStatus;
    if (this.#activeRunId() !== undefined) return 'in_progress';
    return isLoading ? 'loading' : 'ready';
  }
}

/** Calls back when the page becomes visible or online again. */
function listenToReturn(signal: AbortSignal, callback: () => void): void {
  const { document } = platform;
  const onVisible = () => document?.visibilityState === 'visible' && callback();
  document?.addEventListener('visibilitychange', onVisible, { signal });
  platform.addEventListener?.('online', callback, { signal });
}

const isCode = (error: unknown, code: string): boolean => error instanceof ApiError && error.code === code;

const toError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
