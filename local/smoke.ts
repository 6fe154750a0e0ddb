import { scheduler } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/*
 * `npm run smoke -- --base-url URL --token T --project ID`: one conversation with a running service, as a client has it.
 * Prints each step with its time; the exit code tells whether all went well.
 */

/** Longest a run may take here. */
const runLimitMs = 120_000;

const { values } = parseArgs({
  options: { 'base-url': { type: 'string' }, token: { type: 'string' }, project: { type: 'string' } },
});
const { token, project } = values;
const baseUrl = values['base-url']?.replace(/\/+$/, '').replace(/\/api$/, '');
if (!baseUrl || !token || !project) {
  console.error('Usage: npm run smoke -- --base-url URL --token TOKEN --project ID');
  process.exit(2);
}

interface ServiceResponse {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service sends; each step checks what it needs.
  readonly body: any;
}

async function call(method: string, path: string, body?: unknown): Promise<ServiceResponse> {
  const response = await fetch(`${baseUrl}/api/projects/${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    signal: AbortSignal.timeout(95_000),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get('Content-Type')?.includes('json');
  return { status: response.status, body: json && text !== '' ? JSON.parse(text) : {} };
}

/** Runs a step, prints its time, and passes on what it gives. */
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

/** @throws {Error} naming the status and the code, which are all that may be shown. */
function expectStatus({ status, body }: ServiceResponse, expected: number): void {
  if (status !== expected) {
    throw new Error(
      `got ${status} ${body.code ?? ''}, expected ${expected} (${body.details ?? 'no request id'})`,
    );
  }
}

async function main(): Promise<void> {
  const threads = `${project}/threads`;
  const { threadId } = await step('create a thread', async () => {
    const response = await call('POST', threads);
    expectStatus(response, 201);
    return response.body;
  });
  const thread = `${threads}/${threadId}`;
  const { runId } = await step('start a run', async () => {
    const response = await call('POST', `${thread}/runs`, { message: 'Which topics can you help me with?' });
    expectStatus(response, 201);
    return response.body;
  });
  await step('wait for the run to end', async () => {
    const until = performance.now() + runLimitMs;
    for (;;) {
      const response = await call('GET', `${thread}/runs/${runId}?wait=20`);
      expectStatus(response, 200);
      const { status, errorMessage } = response.body;
      if (status === 'completed') return;
      if (!['queued', 'in_progress'].includes(status)) throw new Error(`the run ${status}: ${errorMessage}`);
      if (performance.now() > until) throw new Error(`the run is still ${status}`);
      await scheduler.wait(100);
    }
  });
  await step('read the reply', async () => {
    const response = await call('GET', thread);
    expectStatus(response, 200);
    const last = response.body.messages?.at(-1);
    if (last?.role !== 'assistant' || !last.content) throw new Error('the thread has no reply');
  });
  await step('be denied another project', async () => {
    expectStatus(await call('GET', `${crypto.randomUUID()}/threads/${threadId}`), 403);
  });
  await step('delete the thread', async () => expectStatus(await call('DELETE', thread), 204));
}

await main().catch(() => {
  process.exitCode = 1;
});
