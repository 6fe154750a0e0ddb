import type { ChildProcess } from 'node:child_process';
import type { StreamFault } from '../../local/emulator/faults.ts';
import type {
  ErrorEventShape,
  OrderedItem,
  OrderedMcpCall,
  OrderedPart,
} from '../../local/emulator/outcomes.ts';
import type { RefusalReason } from '../../local/emulator/refusals.ts';
import type {
  Behaviour,
  IncompleteReason,
  Item,
  JsonObject,
  OutputItem,
  Timing,
} from '../../local/emulator/types.ts';
import { projectFolder, startProcess } from './process.ts';

/** A response as listed by the engine's control API: the request that the engine received. */
export interface EngineRun {
  readonly id: string;
  readonly conversation: string | null;
  readonly status: string;
  readonly metadata: Record<string, string>;
  readonly instructions: string | null;
  readonly inputText: string;
  /** Input items, such as messages, `function_call_output` and `mcp_approval_response`. */
  readonly input: readonly Item[];
  /** Tools of the request; those of MCP servers with their tokens. */
  readonly tools: readonly JsonObject[];
  /** Output items; empty until the response has ended. */
  readonly output: readonly OutputItem[];
  readonly model: string;
  readonly createdAtMs: number;
  readonly endedAtMs: number | null;
  readonly cancelledAtMs: number | null;
  /** Number of responses with the same `metadata.runId`; null without one. */
  readonly responsesOfRun: number | null;
}

/** A file as listed by the engine's control API. */
export interface EngineFile {
  readonly id: string;
  readonly filename: string;
  readonly purpose: string;
  readonly bytes: number;
  readonly mediaType: string;
}

/** Requests that a fault applies to; `stream` selects GETs with or without `stream=true`. */
export interface FaultMatch {
  /** Any by default. */
  readonly method?: string;
  readonly path: string;
  readonly exact?: boolean;
  readonly stream?: boolean;
}

/** Default page size of the engine's item list. */
const defaultItems = 20;

const create = { method: 'POST', path: '/v1/responses', exact: true };
const resume = { method: 'GET', path: '/v1/responses/*', exact: true, stream: true };
const cancel = { method: 'POST', path: '/v1/responses/*/cancel', exact: true };

const text = (value: string): OrderedPart => ({ type: 'output_text', text: value });
const message = (...content: OrderedPart[]): OrderedItem => ({ type: 'message', content });
const functionCall = (name: string, input: object): OrderedItem => {
  return { type: 'function_call', name, arguments: JSON.stringify(input) };
};
const completed = (...output: OrderedItem[]) => ({ status: 'completed', output });

/** Outcomes that replace the emulator's reply. */
export const replies = {
  /** One message with these text parts. */
  texts: (...texts: string[]) => completed(message(...texts.map(text))),
  /** One message for each text. */
  messages: (...texts: string[]) => completed(...texts.map((value) => message(text(value)))),
  refusal: (refusal: string) => completed(message({ type: 'refusal', refusal })),
  commentary: (commentary: string, response: string) =>
    completed(
      { type: 'message', phase: 'commentary', content: [text(commentary)] },
      { type: 'message', phase: 'final_answer', content: [text(response)] },
    ),
  reasoning: (thoughts: { summary?: string[]; content?: string[] }, response: string) =>
    completed({ type: 'reasoning', ...thoughts }, message(text(response))),
  functionCall: (name: string, input: object) => completed(functionCall(name, input)),
  /** Several function calls in one response. */
  functionCalls: (...calls: [name: string, input: object][]) =>
    completed(...calls.map(([name, input]) => functionCall(name, input))),
  approvalRequest: (name: string, input: object) =>
    completed({
      type: 'mcp_approval_request',
      server_label: 'test',
      name,
      arguments: JSON.stringify(input),
    }),
  /** An MCP call that needs no approval, before a message; failed if it has an `error`. */
  mcpCall: (call: Omit<OrderedMcpCall, 'type' | 'server_label'>, response: string) =>
    completed({ type: 'mcp_call', server_label: 'test', ...call }, message(text(response))),
  /** A call of the code interpreter that makes a file, and a message that cites it. */
  generatedFile: (filename: string, content: Buffer, reply = 'Here it is: ') => {
    const path = `sandbox:/mnt/data/${filename}`;
    return completed(
      {
        type: 'code_interpreter_call',
        code: `make("${filename}")`,
        files: [{ filename, content: content.toString('base64') }],
      },
      message({
        type: 'output_text',
        text: reply + path,
        annotations: [
          {
            type: 'container_file_citation',
            container_id: '',
            file_id: '',
            filename,
            start_index: reply.length,
            end_index: reply.length + path.length,
          },
        ],
      }),
    );
  },
  items: completed,
  /** A response that fails, or ends early, after these items. */
  failedAfter: (code: string, ...output: OrderedItem[]) => ({ status: 'failed', code, output }),
  incompleteAfter: (reason: IncompleteReason, ...output: OrderedItem[]) => ({
    status: 'incomplete',
    reason,
    output,
  }),
};

export interface TestEngine {
  /** Value for OPENAI_BASE_URL. */
  readonly url: string;
  fault(match: FaultMatch, fault: Record<string, unknown>, times?: number | null): Promise<void>;
  outcome(outcome: Record<string, unknown>, times?: number): Promise<void>;
  timing(timing: Partial<Timing>): Promise<void>;
  /** Stranding requires a queued response: set `timing({ queueMs })` above 0. */
  behaviour(behaviour: Partial<Behaviour>): Promise<void>;
  /** Refuses creates with the errors of real engines. */
  refuseCreate(reason: RefusalReason, times?: number | null): Promise<void>;
  /** Responds to creates with a stream of one `error` event. */
  createErrorEvent(code: string, shape?: ErrorEventShape, times?: number | null): Promise<void>;
  /** Disturbs the streams of creates, or resumed streams. */
  spoilStream(
    which: 'created' | 'resumed',
    fault: Omit<StreamFault, 'kind'>,
    times?: number | null,
  ): Promise<void>;
  /** Refuses to resume a stream; the response itself stays readable. */
  refuseResume(status?: number, times?: number | null): Promise<void>;
  refuseCancel(status: number, times?: number | null): Promise<void>;
  /** Makes one or all responses unreadable, as after their retention; active ones continue. */
  forget(responseId?: string): Promise<void>;
  /** Clears faults, outcomes, recorded calls and settings, but keeps all records. */
  reset(): Promise<void>;
  /** Clears everything, all records included. */
  clear(): Promise<void>;
  /** Calls since the last reset, such as `POST /v1/responses`. */
  calls(): Promise<string[]>;
  /** Number of conversation items requested since the last reset. */
  itemsAsked(): Promise<number>;
  /** Responses in the order of their creation. */
  runs(): Promise<EngineRun[]>;
  /** The responses of one run, which is cheaper than all. */
  roundsOf(runId: string): Promise<Omit<EngineRun, 'responsesOfRun'>[]>;
  /** Uploaded files, oldest first. */
  files(): Promise<EngineFile[]>;
  /** Creates an empty vector store with that id. */
  addVectorStore(id: string): Promise<void>;
  /** Lets the indexing of the next files of vector stores fail. */
  indexError(code?: 'server_error' | 'unsupported_file' | 'invalid_file', times?: number): Promise<void>;
  /** Lets one or all containers expire: they and their files are gone. */
  expireContainers(containerId?: string): Promise<void>;
  /** Number of clients that stream a response. */
  openStreams(): Promise<number>;
  /** Its process. */
  readonly child: ChildProcess;
  close(): Promise<void>;
}

/** Starts the emulator in a process. By default a run has ended when it is first read. */
export async function startTestEngine(timing = { queueMs: 0, runMs: 0 }): Promise<TestEngine> {
  const emulator = await startProcess('local/emulator/main.ts', [
    ...['--queue-ms', String(timing.queueMs), '--run-ms', String(timing.runMs)],
    ...['--index-ms', '0', '--documents-dir', `${projectFolder}local/demo/documents`],
  ]);
  const control = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(new URL(`/control/${path}`, emulator.url), {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
      }),
    });
    if (!response.ok)
      throw new Error(`the engine's control answered ${response.status} to ${method} ${path}`);
    const text = await response.text();
    return text === '' ? undefined : JSON.parse(text);
  };
  const addFault = (match: FaultMatch, fault: object, times: number | null = 1) =>
    control('POST', 'faults', { match, fault, times });
  return {
    url: emulator.url,
    child: emulator.child,
    fault: addFault,
    refuseCreate: (reason, times) => addFault(create, { kind: 'refuse', reason }, times),
    createErrorEvent: (code, shape = 'nested', times = 1) =>
      addFault(create, { kind: 'error_event', code, shape }, times),
    spoilStream: (which, fault, times) =>
      addFault(which === 'created' ? create : resume, { ...fault, kind: 'stream' }, times),
    refuseResume: (status = 400, times = 1) => addFault(resume, { kind: 'status', status }, times),
    refuseCancel: (status, times) => addFault(cancel, { kind: 'status', status }, times),
    outcome: (outcome, times = 1) => control('POST', 'outcomes', { outcome, times }),
    timing: (changed) => control('PATCH', 'timing', changed),
    behaviour: (changed) => control('PATCH', 'behaviour', changed),
    forget: (responseId) => control('POST', 'forget', { responseId }),
    reset: () => control('POST', 'reset'),
    clear: () => control('DELETE', 'state'),
    calls: async () =>
      (await control('GET', 'calls')).calls.map(
        ({ method, path }: { method: string; path: string }) => `${method} ${path}`,
      ),
    itemsAsked: async () => {
      const { calls }: { calls: { method: string; path: string; query: string }[] } = await control(
        'GET',
        'calls',
      );
      return calls
        .filter(({ method, path }) => method === 'GET' && path.endsWith('/items'))
        .reduce((sum, { query }) => sum + Number(new URLSearchParams(query).get('limit') ?? defaultItems), 0);
    },
    runs: async () => {
      const response = await control('GET', 'responses');
      return response.responses ?? response;
    },
    roundsOf: (runId) => control('POST', 'find-responses', { runId }),
    files: () => control('GET', 'files'),
    addVectorStore: (id) => control('POST', 'vector-stores', { id }),
    indexError: (code = 'server_error', times = 1) =>
      control('POST', 'index-errors', { error: { code }, times }),
    expireContainers: (containerId) => control('POST', 'expire-containers', { containerId }),
    openStreams: async () => (await control('GET', 'streams')).open,
    close: async () => void (await emulator.stop()),
  };
}
