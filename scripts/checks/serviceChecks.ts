import { scheduler } from 'node:timers/promises';
import { CheckError, type Checklist } from './checklist.ts';

/*
 * Tries through the front door of a running service what `npm run doctor` tries at the engine itself: a conversation, a
 * response in the background whose stream is dropped and taken up again, a cancel, the items of the conversation.
 */

export interface ServiceUnderCheck {
  /** Without `/api`. */
  readonly baseUrl: string;
  readonly token: string;
  readonly project: string;
}

/** Timeout of a run, in milliseconds. */
const runLimitMs = 120_000;

/** Timeout of a request and of one response of events, in milliseconds. */
const requestMs = 95_000;

interface Result {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service returns; each step checks what it needs.
  readonly body: any;
}

/** Thrown to leave out what follows a failed check; the check itself has been reported. */
class Stopped extends Error {}

/** Checks a service with one thread, which is deleted in the end. Stops at the first failure. */
export async function checkService(list: Checklist, service: ServiceUnderCheck): Promise<void> {
  const step = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const done = await list.check(name, work);
    if (!done) throw new Stopped();
    return done.value;
  };
  const call = (method: string, path: string, body?: unknown) => send(service, method, path, body);
  const threads = `${service.project}/threads`;
  try {
    const { threadId } = await step('create a thread', async () => {
      return expectStatus(await call('POST', threads), 201).body;
    });
    const thread = `${threads}/${threadId}`;
    try {
      await converse(service, step, thread);
      await step('be denied another project', async () => {
        expectStatus(await call('GET', `${crypto.randomUUID()}/threads/${threadId}`), 403);
      });
    } catch (error) {
      await call('DELETE', thread).catch(() => undefined);
      throw error;
    }
    await step('delete the thread', async () => expectStatus(await call('DELETE', thread), 204));
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
  }
}

type Step = <T>(name: string, work: () => Promise<T>) => Promise<T>;

async function converse(service: ServiceUnderCheck, step: Step, thread: string): Promise<void> {
  const call = (method: string, path: string, body?: unknown) => send(service, method, path, body);
  const start = async (message: string) =>
    `${thread}/runs/${expectStatus(await call('POST', `${thread}/runs`, { message }), 201).body.runId}`;
  const run = await step('start a run', () => start('Which topics can you help me with?'));
  await step('follow its events, leave while it runs, and come back', () => followTwice(service, run));
  await step('wait for the run to end', async () => {
    const { status, errorMessage } = await untilRun(service, run, isTerminal);
    if (status !== 'completed') throw new Error(`the run ${status}: ${errorMessage}`);
  });
  await step('read the reply', async () => {
    const found = expectStatus(await call('GET', thread), 200);
    const last = found.body.messages?.at(-1);
    if (last?.role !== 'assistant' || !last.content) throw new Error('the thread has no reply');
  });
  await step('cancel another run', async () => {
    const other = await start('Write the numbers from 1 to 3000 as words, one a line, and leave none out.');
    await untilRun(service, other, (status) => status !== 'queued');
    const cancelled = await call('POST', `${other}/cancel`);
    // A model may be done before it is cancelled.
    if (cancelled.body.code !== 'run_finished') expectStatus(cancelled, 200);
  });
  await step('list both runs', async () => {
    const { runs } = expectStatus(await call('GET', `${thread}/runs`), 200).body;
    if (runs?.length !== 2) throw new Error(`the list holds ${runs?.length} runs`);
  });
}

const isTerminal = (status: string) => ['completed', 'failed', 'expired', 'cancelled'].includes(status);

async function untilRun(service: ServiceUnderCheck, run: string, reached: (status: string) => boolean) {
  const until = performance.now() + runLimitMs;
  for (;;) {
    const { body } = expectStatus(await send(service, 'GET', `${run}?wait=20`), 200);
    if (reached(body.status) || isTerminal(body.status)) return body;
    if (performance.now() > until) throw new Error(`the run is still ${body.status}`);
    await scheduler.wait(100);
  }
}

/** Reads the events of a run until it is in progress, leaves, and reads the others from there. */
async function followTwice(service: ServiceUnderCheck, run: string): Promise<void> {
  const position = await readEvents(service, run, undefined, (status) => status !== 'queued');
  if (position !== 'end') await untilEnd(service, run, position);
}

/** Reads events until the last one. A stream may end early, for example at its time limit. */
async function untilEnd(service: ServiceUnderCheck, run: string, from: string): Promise<void> {
  const until = performance.now() + runLimitMs;
  let position = from;
  while (position !== 'end') {
    position = await readEvents(service, run, position, isTerminal);
    if (performance.now() > until) throw new Error('the events did not reach their end');
  }
}

/**
 * Reads events after a position until a `run` event has a status that is looked for, or the stream ends.
 * @returns the id of the last event.
 */
async function readEvents(
  { baseUrl, token }: ServiceUnderCheck,
  run: string,
  after: string | undefined,
  reached: (status: string) => boolean,
): Promise<string> {
  const leave = new AbortController();
  const response = await fetch(`${baseUrl}/api/projects/${run}/events`, {
    headers: { Authorization: `Bearer ${token}`, ...(after !== undefined && { 'Last-Event-ID': after }) },
    signal: AbortSignal.any([leave.signal, AbortSignal.timeout(requestMs)]),
  }).catch(throwUnreachable);
  if (response.status !== 200) expectStatus(await toResult(response), 200);
  let position = after ?? '';
  let rest = '';
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      position = /^id: (.*)$/m.exec(block)?.[1] ?? position;
      const data = /^event: run$/m.test(block) && /^data: (.*)$/m.exec(block)?.[1];
      if (data && reached(JSON.parse(data).status)) {
        leave.abort();
        return position;
      }
    }
  }
  return position;
}

async function send(
  { baseUrl, token }: ServiceUnderCheck,
  method: string,
  path: string,
  body?: unknown,
): Promise<Result> {
  const response = await fetch(`${baseUrl}/api/projects/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    signal: AbortSignal.timeout(requestMs),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(throwUnreachable);
  return toResult(response);
}

async function toResult(response: Response): Promise<Result> {
  const text = await response.text();
  const json = response.headers.get('Content-Type')?.includes('json');
  return { status: response.status, body: json && text !== '' ? JSON.parse(text) : {} };
}

/** @throws {CheckError} a temporary one: the service may be starting. */
function throwUnreachable(error: Error & { cause?: { code?: string } }): never {
  throw new CheckError(`no response (${error.cause?.code ?? error.name})`, { temporary: true });
}

/**
 * Checks a status.
 * @throws {CheckError} with the status and the error code only, since the output may be public. Temporary if the service
 * may be starting, or a new role assignment is not yet effective in the store or engine.
 */
function expectStatus(result: Result, expected: number): Result {
  const { status, body } = result;
  if (status === expected) return result;
  // Without an error code, the response is from a host that has not loaded the package yet.
  const hostAlone = body.code === undefined && [401, 403, 404].includes(status);
  throw new CheckError(
    `got ${status} ${body.code ?? ''}, expected ${expected} (${body.details ?? 'no request id'})`,
    { temporary: status >= 500 || hostAlone },
  );
}
