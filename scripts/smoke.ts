import { scheduler } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/*
 * `npm run smoke -- --base-url URL --project ID [--token T]`: tests a running service with one conversation.
 * Without --token, uses SMOKE_TOKEN, which is not visible in process lists. Prints each step with its duration. Exit
 * codes: 0 passed, 1 failed, 2 usage error, 75 temporary failure (EX_TEMPFAIL of sysexits.h).
 */

/** Timeout of the run, in milliseconds. */
const runLimitMs = 120_000;

const { values } = parseArgs({
  options: { 'base-url': { type: 'string' }, token: { type: 'string' }, project: { type: 'string' } },
});
const { project } = values;
const token = values.token ?? process.env['SMOKE_TOKEN'];
const baseUrl = values['base-url']?.replace(/\/+$/, '').replace(/\/api$/, '');
if (!baseUrl || !token || !project) {
  console.error(
    'Usage: npm run smoke -- --base-url URL --project ID [--token TOKEN | SMOKE_TOKEN in the environment]',
  );
  process.exit(2);
}

interface Result {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service returns; each step checks what it needs.
  readonly body: any;
}

/** A temporary failure: the service is starting, or a new role assignment is not yet effective in the store or engine. */
class TemporaryError extends Error {}

async function call(method: string, path: string, body?: unknown): Promise<Result> {
  const response = await fetch(`${baseUrl}/api/projects/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    signal: AbortSignal.timeout(95_000),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch((error: Error & { cause?: { code?: string } }) => {
    throw new TemporaryError(`no response (${error.cause?.code ?? error.name})`);
  });
  const text = await response.text();
  const json = response.headers.get('Content-Type')?.includes('json');
  return { status: response.status, body: json && text !== '' ? JSON.parse(text) : {} };
}

/** Runs a step, prints its duration and returns its result. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    const result = await work();
    console.log(`ok      ${name} (${Math.round(performance.now() - start)} ms)`);
    return result;
  } catch (error) {
    console.log(`FAILED  ${name}: ${(error as Error).message}`);
    throw error;
  }
}

/** Checks a status. @throws {Error} with the status and the error code only, since the output may be public. */
function expectStatus({ status, body }: Result, expected: number): void {
  if (status === expected) return;
  const text = `got ${status} ${body.code ?? ''}, expected ${expected} (${body.details ?? 'no request id'})`;
  // Without an error code, the response is from a host that has not loaded the package yet.
  const hostAlone = body.code === undefined && [401, 403, 404].includes(status);
  throw status >= 500 || hostAlone ? new TemporaryError(text) : new Error(text);
}

async function main(): Promise<void> {
  const threads = `${project}/threads`;
  const { threadId } = await step('create a thread', async () => {
    const created = await call('POST', threads);
    expectStatus(created, 201);
    return created.body;
  });
  const thread = `${threads}/${threadId}`;
  try {
    await converse(thread);
    await step('be denied another project', async () => {
      expectStatus(await call('GET', `${crypto.randomUUID()}/threads/${threadId}`), 403);
    });
  } catch (error) {
    await call('DELETE', thread).catch(() => undefined);
    throw error;
  }
  await step('delete the thread', async () => expectStatus(await call('DELETE', thread), 204));
}

async function converse(thread: string): Promise<void> {
  const { runId } = await step('start a run', async () => {
    const created = await call('POST', `${thread}/runs`, { message: 'Which topics can you help me with?' });
    expectStatus(created, 201);
    return created.body;
  });
  await step('wait for the run to end', async () => {
    const until = performance.now() + runLimitMs;
    for (;;) {
      const found = await call('GET', `${thread}/runs/${runId}?wait=20`);
      expectStatus(found, 200);
      const { status, errorMessage } = found.body;
      if (status === 'completed') return;
      if (!['queued', 'in_progress'].includes(status)) throw new Error(`the run ${status}: ${errorMessage}`);
      if (performance.now() > until) throw new Error(`the run is still ${status}`);
      await scheduler.wait(100);
    }
  });
  await step('read the reply', async () => {
    const found = await call('GET', thread);
    expectStatus(found, 200);
    const last = found.body.messages?.at(-1);
    if (last?.role !== 'assistant' || !last.content) throw new Error('the thread has no reply');
  });
}

await main().catch((error) => {
  process.exitCode = error instanceof TemporaryError ? 75 : 1;
});
