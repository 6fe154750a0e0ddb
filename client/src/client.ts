import { ApiError, RunFailedError } from './errors.ts';
import { finished, follow } from './follow.ts';
import { type List, toList } from './pages.ts';
import { randomId } from './randomId.ts';
import { createTransport, type TokenSource } from './transport.ts';
import type {
  CreatedRun,
  CreatedThread,
  CreateOptions,
  CreateRunRequest,
  CreateThreadRequest,
  DocumentPage,
  FinishedOptions,
  FollowOptions,
  ListDocumentsQuery,
  ListMessagesQuery,
  ListRunsQuery,
  ListThreadsQuery,
  Message,
  ProjectDocument,
  ProjectFile,
  RequestOptions,
  Run,
  RunEvent,
  RunPage,
  StartedThread,
  StepList,
  Thread,
  ThreadMessages,
  ThreadPage,
  ThreadSummary,
  Timing,
  ToolOutputsRequest,
  UpdateMetadataRequest,
  Upload,
} from './types.ts';

export interface ClientOptions {
  /** Address of the API with its `/api`; relative in a page of the same origin. */
  readonly baseUrl: string;
  readonly projectId: string;
  readonly token: TokenSource;
  /** Replaces the platform's `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Durations that differ from the defaults. */
  readonly timing?: Partial<Timing> | undefined;
}

/** A client of one project. Every method rejects with `ApiError`, `ConnectionError` or the reason of its signal. */
export interface Client {
  readonly projectId: string;
  readonly threads: {
    /** Creates a thread; with a `message`, starts its first run too. Retries never create a second one. */
    create(
      request: CreateThreadRequest & { readonly message: string },
      options?: CreateOptions,
    ): Promise<StartedThread>;
    create(request?: CreateThreadRequest, options?: CreateOptions): Promise<CreatedThread>;
    /** Lists the project's threads, newest first. */
    list(query?: ListThreadsQuery, options?: RequestOptions): List<ThreadSummary, ThreadPage>;
    /** Reads a thread, its `activeRunId` and a page of its messages. */
    get(threadId: string, query?: ListMessagesQuery, options?: RequestOptions): Promise<ThreadMessages>;
    /** Replaces a thread's metadata. */
    update(threadId: string, request: UpdateMetadataRequest, options?: RequestOptions): Promise<Thread>;
    /** Cancels the active run and deletes everything of the thread; resolves for a thread that is gone, too. */
    delete(threadId: string, options?: RequestOptions): Promise<void>;
    /** Lists a thread's messages, oldest first or by `order`. */
    messages(
      threadId: string,
      query?: ListMessagesQuery,
      options?: RequestOptions,
    ): List<Message, ThreadMessages>;
  };
  readonly runs: {
    /** Posts a message and starts a run. Retries never start a second one. */
    create(threadId: string, request: CreateRunRequest, options?: CreateOptions): Promise<CreatedRun>;
    get(threadId: string, runId: string, options?: RequestOptions): Promise<Run>;
    /** Lists a thread's runs, newest first. */
    list(threadId: string, query?: ListRunsQuery, options?: RequestOptions): List<Run, RunPage>;
    /** Replaces a run's metadata. */
    update(
      threadId: string,
      runId: string,
      request: UpdateMetadataRequest,
      options?: RequestOptions,
    ): Promise<Run>;
    /** Cancels a run; resolves with it if it had been cancelled before. @throws {ApiError} `run_finished` if it had ended. */
    cancel(threadId: string, runId: string, options?: RequestOptions): Promise<Run>;
    /** Submits what a waiting run asks for. Repeating the same outputs submits nothing twice. */
    submitToolOutputs(
      threadId: string,
      runId: string,
      request: ToolOutputsRequest,
      options?: RequestOptions,
    ): Promise<Run>;
    /** Reads what a run did, in order. */
    steps(threadId: string, runId: string, options?: RequestOptions): Promise<StepList>;
    /**
     * Yields the events of a run, each once, until it has ended; the last one is the ended run, which is returned, too.
     * Reconnects by itself. Where no stream passes, waits or polls until one does: then there are only `run` events. While the
     * run waits for outputs, goes on waiting; submit them from inside the loop or elsewhere.
     */
    follow(
      threadId: string,
      runId: string,
      options?: FollowOptions,
    ): AsyncGenerator<RunEvent, Run, undefined>;
    /** Resolves with the run once it has ended, in whatever way, or waits for outputs. @throws {TimeoutError} */
    finished(threadId: string, runId: string, options?: FinishedOptions): Promise<Run>;
    /** As `finished`, but resolves only with a completed run. @throws {RunFailedError} for any other. */
    completed(threadId: string, runId: string, options?: FinishedOptions): Promise<Run>;
  };
  readonly files: {
    /** Uploads a file that messages can carry. Not repeated after a lost response. */
    upload(file: Upload, options?: RequestOptions): Promise<ProjectFile>;
    get(fileId: string, options?: RequestOptions): Promise<ProjectFile>;
    /** Reads the content. */
    content(fileId: string, options?: RequestOptions): Promise<Blob>;
    /** Reads the content of a file that a code interpreter made in a thread. */
    generatedContent(threadId: string, fileId: string, options?: RequestOptions): Promise<Blob>;
    delete(fileId: string, options?: RequestOptions): Promise<void>;
  };
  /** What all runs of the project search; for its editors. */
  readonly documents: {
    /** Adds a document. Not repeated after a lost response. */
    upload(file: Upload, options?: RequestOptions): Promise<ProjectDocument>;
    /** Lists the documents, newest first. */
    list(query?: ListDocumentsQuery, options?: RequestOptions): List<ProjectDocument, DocumentPage>;
    delete(documentId: string, options?: RequestOptions): Promise<void>;
  };
}

const defaultTiming: Timing = {
  requestMs: 60_000,
  retryMs: 500,
  maxRetryMs: 30_000,
  firstByteMs: 5_000,
  silenceMs: 40_000,
  waitMs: 50_000,
  pollMs: 2_000,
};

/** Creates a client of one project. */
export function createClient(options: ClientOptions): Client {
  const { projectId, fetch = (input, init) => globalThis.fetch(input, init) } = options;
  const timing = { ...defaultTiming, ...options.timing };
  const transport = createTransport(options.baseUrl, options.token, fetch, timing);

  const path = (...segments: string[]): string =>
    ['', 'projects', projectId, ...segments].map(encodeURIComponent).join('/');
  const thread = (threadId: string, ...segments: string[]) => path('threads', threadId, ...segments);
  const run = (threadId: string, runId: string, ...segments: string[]) =>
    thread(threadId, 'runs', runId, ...segments);
  const signalOf = ({ signal }: RequestOptions = {}) => ({ signal });
  const keyOf = ({ idempotencyKey = randomId() }: CreateOptions = {}) => ({
    headers: { 'Idempotency-Key': idempotencyKey },
  });

  const list = <Item, Page extends { hasMore: boolean; lastId: string | null }>(
    listPath: string,
    query: object | undefined,
    requestOptions: RequestOptions | undefined,
    itemsOf: (page: Page) => readonly Item[],
  ): List<Item, Page> =>
    toList(
      (after) =>
        transport.json<Page>({
          path: listPath + toQuery({ ...query, ...(after !== undefined && { after }) }),
          ...signalOf(requestOptions),
        }),
      itemsOf,
    );
  const upload = <T>(
    uploadPath: string,
    file: Upload,
    requestOptions: RequestOptions | undefined,
  ): Promise<T> => {
    const form = new FormData();
    form.append('file', file, file.name);
    return transport.json({
      method: 'POST',
      path: uploadPath,
      form,
      retry: 'refused',
      timeoutMs: Infinity,
      ...signalOf(requestOptions),
    });
  };
  const remove = (removePath: string, requestOptions: RequestOptions | undefined): Promise<void> =>
    transport.json({ method: 'DELETE', path: removePath, goneIsDone: true, ...signalOf(requestOptions) });
  const blob = (blobPath: string, requestOptions: RequestOptions | undefined): Promise<Blob> =>
    transport.send({ path: blobPath, timeoutMs: Infinity, ...signalOf(requestOptions) }, (response) =>
      response.blob(),
    );

  const watcher = { transport, timing, patienceMs: timing.firstByteMs };
  const client: Client = {
    projectId,
    threads: {
      create: (request: CreateThreadRequest = {}, requestOptions?: CreateOptions) =>
        transport.json<StartedThread>({
          method: 'POST',
          path: path('threads'),
          json: request,
          ...keyOf(requestOptions),
          ...signalOf(requestOptions),
        }),
      list: (query, requestOptions) =>
        list<ThreadSummary, ThreadPage>(path('threads'), query, requestOptions, ({ threads }) => threads),
      get: (threadId, query, requestOptions) =>
        transport.json({ path: thread(threadId) + toQuery(query), ...signalOf(requestOptions) }),
      update: (threadId, request, requestOptions) =>
        transport.json({
          method: 'PATCH',
          path: thread(threadId),
          json: request,
          ...signalOf(requestOptions),
        }),
      delete: (threadId, requestOptions) => remove(thread(threadId), requestOptions),
      messages: (threadId, query, requestOptions) =>
        list<Message, ThreadMessages>(thread(threadId), query, requestOptions, ({ messages }) => messages),
    },
    runs: {
      create: (threadId, request, requestOptions) =>
        transport.json({
          method: 'POST',
          path: thread(threadId, 'runs'),
          json: request,
          ...keyOf(requestOptions),
          ...signalOf(requestOptions),
        }),
      get: (threadId, runId, requestOptions) =>
        transport.json({ path: run(threadId, runId), ...signalOf(requestOptions) }),
      list: (threadId, query, requestOptions) =>
        list<Run, RunPage>(thread(threadId, 'runs'), query, requestOptions, ({ runs }) => runs),
      update: (threadId, runId, request, requestOptions) =>
        transport.json({
          method: 'PATCH',
          path: run(threadId, runId),
          json: request,
          ...signalOf(requestOptions),
        }),
      async cancel(threadId, runId, requestOptions) {
        const request = { method: 'POST', path: run(threadId, runId, 'cancel') } as const;
        try {
          return await transport.json<Run>({ ...request, ...signalOf(requestOptions) });
        } catch (error) {
          // Perhaps this very request, whose response was lost.
          if (!(error instanceof ApiError) || error.code !== 'run_finished') throw error;
          const ended = await client.runs.get(threadId, runId, requestOptions);
          if (ended.status === 'cancelled') return ended;
          throw error;
        }
      },
      submitToolOutputs: (threadId, runId, request, requestOptions) =>
        transport.json({
          method: 'POST',
          path: run(threadId, runId, 'tool-outputs'),
          json: request,
          ...signalOf(requestOptions),
        }),
      steps: (threadId, runId, requestOptions) =>
        transport.json({ path: run(threadId, runId, 'steps'), ...signalOf(requestOptions) }),
      follow: (threadId, runId, requestOptions) => follow(watcher, run(threadId, runId), requestOptions),
      finished: (threadId, runId, requestOptions) => finished(watcher, run(threadId, runId), requestOptions),
      async completed(threadId, runId, requestOptions) {
        const ended = await client.runs.finished(threadId, runId, requestOptions);
        if (ended.status !== 'completed') throw new RunFailedError(ended);
        return ended;
      },
    },
    files: {
      upload: (file, requestOptions) => upload(path('files'), file, requestOptions),
      get: (fileId, requestOptions) =>
        transport.json({ path: path('files', fileId), ...signalOf(requestOptions) }),
      content: (fileId, requestOptions) => blob(path('files', fileId, 'content'), requestOptions),
      generatedContent: (threadId, fileId, requestOptions) =>
        blob(thread(threadId, 'files', fileId, 'content'), requestOptions),
      delete: (fileId, requestOptions) => remove(path('files', fileId), requestOptions),
    },
    documents: {
      upload: (file, requestOptions) => upload(path('documents'), file, requestOptions),
      list: (query, requestOptions) =>
        list<ProjectDocument, DocumentPage>(
          path('documents'),
          query,
          requestOptions,
          ({ documents }) => documents,
        ),
      delete: (documentId, requestOptions) => remove(path('documents', documentId), requestOptions),
    },
  };
  return client;
}

/** Returns a query string; objects become `name[key]=value`. */
function toQuery(query: object = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value !== 'object') params.append(name, String(value));
    else for (const [key, item] of Object.entries(value)) params.append(`${name}[${key}]`, String(item));
  }
  const text = params.toString();
  return text && `?${text}`;
}
