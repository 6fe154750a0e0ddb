import type { components, operations } from './openapi.ts';

type Schemas = components['schemas'];

export type Thread = Schemas['Thread'];
export type CreatedThread = Schemas['CreatedThread'];
/** A thread that was created with a first message. */
export type StartedThread = CreatedThread & { readonly run: CreatedRun };
export type ThreadSummary = Schemas['ThreadSummary'];
export type ThreadPage = Schemas['ThreadPage'];
export type ThreadMessages = Schemas['ThreadMessages'];
export type Message = Schemas['Message'];
export type Annotation = Schemas['Annotation'];
export type Run = Schemas['Run'];
export type CreatedRun = Schemas['CreatedRun'];
export type RunStatus = Schemas['RunStatus'];
export type RunErrorCode = Schemas['RunErrorCode'];
export type RunPage = Schemas['RunPage'];
export type RequiredAction = Schemas['RequiredAction'];
export type Step = Schemas['Step'];
export type StepList = Schemas['StepList'];
export type Usage = Schemas['Usage'];
export type Metadata = Schemas['Metadata'];
/** A file of the project; named so that it is not taken for the platform's `File`. */
export type ProjectFile = Schemas['File'];
export type ProjectDocument = Schemas['Document'];
export type DocumentPage = Schemas['DocumentPage'];

export type CreateThreadRequest = Schemas['CreateThreadRequest'];
export type CreateRunRequest = Schemas['CreateRunRequest'];
export type UpdateMetadataRequest = Schemas['UpdateMetadataRequest'];
export type ToolOutputsRequest = Schemas['ToolOutputsRequest'];

/** An event of a run. `id` resumes after it (`lastEventId`); missing if no stream passed at the time. */
export type RunEvent = Schemas['RunEvent'] & { readonly id?: string };

type Query<Operation extends keyof operations> = NonNullable<operations[Operation]['parameters']['query']>;

export type ListThreadsQuery = Query<'listThreads'>;
export type ListMessagesQuery = Query<'getThread'>;
export type ListRunsQuery = Query<'listRuns'>;
export type ListDocumentsQuery = Query<'listDocuments'>;

export interface RequestOptions {
  /** Ends all work of the call, which then rejects with the signal's reason. Does not cancel a run. */
  readonly signal?: AbortSignal | undefined;
}

export interface CreateOptions extends RequestOptions {
  /** Key of this create; by default a random one. Give your own to repeat a create later, for example after a reload. */
  readonly idempotencyKey?: string | undefined;
}

export interface FollowOptions extends RequestOptions {
  /** `id` of the last event received earlier: only events after it are yielded. */
  readonly lastEventId?: string | undefined;
}

export interface FinishedOptions extends RequestOptions {
  /** How long to wait at most, in milliseconds; by default until the run ends. The run goes on after a time-out. */
  readonly timeoutMs?: number | undefined;
}

/** What to upload: the platform's `File`, or content with a name. */
export type Upload = Blob & { readonly name: string };

/** Durations, in milliseconds. */
export interface Timing {
  /** Until a request without a file has been responded to: 60,000. */
  readonly requestMs: number;
  /** Before the first retry; doubled before each further one, with jitter: 500. */
  readonly retryMs: number;
  /** The longest pause before a retry. A longer `Retry-After` is not waited for but thrown: 30,000. */
  readonly maxRetryMs: number;
  /** Without a first byte of a stream, after which it is taken not to pass: 5,000. */
  readonly firstByteMs: number;
  /** Without any byte of an open stream, after which it is reopened; the service sends one every 15 s: 40,000. */
  readonly silenceMs: number;
  /** How long a request waits in the service for a change of a run, where streams do not pass: 50,000, whole seconds. */
  readonly waitMs: number;
  /** Between polls, where not even waiting passes: 2,000. */
  readonly pollMs: number;
}
