import { execFile } from 'node:child_process';
import { scheduler } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../shared/config.ts';
import { createEngineClient } from '../../shared/engine/client.ts';
import { createEngine } from '../../shared/engine/engine.ts';
import { lazyTable } from '../../shared/storage/tables.ts';
import { createThreadStore } from '../../shared/storage/threadStore.ts';
import type { Call, TestResponse } from '../support/service.ts';
import { useService } from '../support/useService.ts';
import { readBlocks } from './document.ts';
import { type Page, runPage } from './page.ts';

/*
 * `usage-examples.md` is the document that clients are written from. Every fenced block of it is run or compared as it
 * stands: only the host and the token are replaced, and `run_def456789` where a run has to exist.
 */

/* What the document's examples name. No other test file may use this project: all share one store. */
const projectId = '123e4567-e89b-12d3-a456-426614174000';
const threadId = 'thread_abc123';
const assistantId = 'asst_xyz789';
const documentedHost = 'https://api.agilemantis.com';
const documentedRunId = 'run_def456789';

const settings = {
  ASSISTANTS: JSON.stringify([
    {
      id: assistantId,
      name: 'Project guide',
      model: 'gpt-5-mini',
      instructions: 'You help the members of a software project.',
      tools: [{ type: 'file_search', vectorStoreIds: ['vs_demo'] }],
    },
  ]),
};

const thread = `projects/${projectId}/threads/${threadId}`;
const aTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const aRunId = expect.stringMatching(/^run_[A-Za-z0-9]+$/);
const longMs = 3_600_000;

const t = useService(settings);
let token: string;

beforeAll(async () => {
  token = await t.issuer.sign({ projects: [projectId] });
  await t.addProject({ projectId, assistantId });
  const { engine, tables } = parseConfig(t.settings);
  const conversationId = await createEngine(createEngineClient(engine)).openConversation(
    { projectId, threadId },
    20_000,
  );
  const threads = createThreadStore(lazyTable(tables, 'threads'));
  expect(await threads.add({ projectId, threadId, createdAt: new Date(), conversationId })).toBe('added');
});
afterEach(async () => {
  await t.engine.reset();
  // All examples use one thread, and a thread takes one run at a time.
  while ((await t.call(thread)).body.activeRunId !== null) await scheduler.wait(25);
});

const post = (path = thread, call: Call = {}) =>
  t.call(`${path}/runs`, { method: 'POST', body: { message: 'Explain the database schema' }, ...call });

const runPath = ({ body }: TestResponse) =>
  `projects/${body.projectId}/threads/${body.threadId}/runs/${body.runId}`;

/** Opens a document's JavaScript at the service's address. */
const openPage = (script: string, globals: Record<string, unknown> = {}, fasterBy = 20): Page =>
  runPage(script.replaceAll(documentedHost, t.url), {
    url: t.url,
    fasterBy,
    globals: { yourToken: token, ...globals },
  });

/** Runs a document's curl command in a shell; rejects where there is no curl. */
async function curl(command: string): Promise<TestResponse['body']> {
  const line = command.replaceAll(documentedHost, t.url).replaceAll('YOUR_JWT_TOKEN', token);
  const { PATH } = process.env;
  return JSON.parse((await promisify(execFile)('bash', ['-c', line], { env: { PATH } })).stdout);
}

/** The statuses that a page's workflow has seen, one for each look. */
const statusesSeen = ({ printed }: Page) =>
  printed.flatMap(([, text]) => /^📊 Attempt \d+: Status = (\w+)$/.exec(String(text))?.[1] ?? []);

const looks = (statuses: readonly string[]) =>
  statuses.map((status, index) => ['log', `📊 Attempt ${index + 1}: Status = ${status}`] as const);

/** A run of a thread of its own in each state that the document lists, as the service tells of it. */
async function runsInEveryStatus(): Promise<Record<string, TestResponse['body']>> {
  const { engine } = t;
  const inStatus = async (status: string, prepare: () => Promise<unknown>) => {
    await prepare();
    const created = await post(await t.openThread(projectId));
    const unfinished = ['queued', 'in_progress'].includes(status);
    const { body } = await (unfinished ? t.call : t.finish)(runPath(created));
    expect(body.status).toBe(status);
    return [status, body];
  };
  const restartWith = async (settings: Record<string, string>) => {
    await t.stop();
    await t.restart(settings);
  };
  const runs = Object.fromEntries([
    await inStatus('completed', async () => {}),
    await inStatus('failed', () => engine.outcome({ status: 'failed', code: 'server_error' })),
    await inStatus('in_progress', () => engine.outcome({ status: 'never' })),
    await inStatus('queued', () => engine.timing({ queueMs: longMs })),
    await inStatus('expired', async () => {
      await restartWith({ RUN_TIMEOUT_SECONDS: '1' });
      await engine.outcome({ status: 'never' });
    }),
  ]);
  await restartWith({});
  return runs;
}

/** What a documented error body and a real one have in common: all that is documented, and a code. */
async function expectError(text: string, status: number, responses: Promise<TestResponse>[]): Promise<void> {
  for (const response of await Promise.all(responses)) {
    expect(response.status).toBe(status);
    expect(response.body).toEqual({
      ...JSON.parse(text),
      code: expect.stringMatching(/^[a-z_]+$/),
      ...(status === 500 && { details: response.headers.get('X-Request-Id') }),
    });
  }
}

const engineRefusesKey = { kind: 'status', status: 401, code: 'invalid_api_key', type: 'x', message: 'x' };

/* Each proves one documented error with real responses, of both documented endpoints where both can give it. */
const proveError = {
  async invalid(text: string) {
    const response = await post(thread, { body: {} });
    expect(response.status).toBe(400);
    expect(response.body).toEqual(JSON.parse(text));
  },
  unauthorized: (text: string) =>
    expectError(text, 401, [
      post(thread, { token: null }),
      t.call(`${thread}/runs/${documentedRunId}`, { token: null }),
    ]),
  async denied(text: string) {
    const stranger = { token: await t.issuer.sign({ projects: [] }) };
    await expectError(text, 403, [
      post(thread, stranger),
      t.call(`${thread}/runs/${documentedRunId}`, stranger),
    ]);
  },
  threadNotFound: (text: string) =>
    expectError(text, 404, [
      post(`projects/${projectId}/threads/thread_nosuch`),
      t.call(`projects/${projectId}/threads/thread_nosuch/runs/${documentedRunId}`),
    ]),
  runNotFound: (text: string) => expectError(text, 404, [t.call(`${thread}/runs/${documentedRunId}`)]),
  async createFailed(text: string) {
    await t.engine.fault({ method: 'POST', path: '/v1/responses' }, engineRefusesKey);
    await expectError(text, 500, [post()]);
  },
  async checkFailed(text: string) {
    const created = await post();
    await t.engine.fault({ method: 'GET', path: '/v1/responses' }, engineRefusesKey);
    await expectError(text, 500, [t.call(runPath(created))]);
  },
};

/** A created run has exactly the documented fields, with the documented values wherever they are not a new run's own. */
async function proveCreated(text: string): Promise<void> {
  const documented = JSON.parse(text);
  const { instructions, userMessage: message } = documented;
  const created = await post(thread, { body: { message, instructions } });
  // One of the two headings says 200 OK; the endpoint itself is documented to answer 201.
  expect(created.status).toBe(201);
  expect(created.body).toEqual({ ...documented, runId: aRunId, createdAt: aTime });
}

const workflow = 'javascript at Complete Workflow Example';

interface Proof {
  /** What the test of the block is called. */
  readonly says: string;
  prove(text: string): Promise<void>;
}

/** One for each block of the document, by the block's name. */
const proofs: Record<string, Proof> = {
  'json at Run Creation › Request Body': {
    says: 'is a request that starts a run',
    async prove(text) {
      const { message, instructions } = JSON.parse(text);
      const created = await post(thread, { body: text });
      expect(created.status).toBe(201);
      expect(created.body).toMatchObject({ status: 'queued', userMessage: message, instructions });
    },
  },

  'bash at Run Creation › Example Usage › 1. Basic Thread Run Creation': {
    says: 'starts a run without instructions',
    async prove(text) {
      expect(await curl(text)).toMatchObject({
        runId: aRunId,
        status: 'queued',
        instructions: null,
        userMessage: 'Can you help me understand the authentication flow in this project?',
      });
    },
  },

  'bash at Run Creation › Example Usage › 2. Thread Run with Custom Instructions': {
    says: 'starts a run with instructions',
    async prove(text) {
      const { runId, ...run } = await curl(text);
      expect(run).toMatchObject({
        status: 'queued',
        instructions: expect.stringMatching(/^Focus on the relationships between entities/),
        userMessage: 'Explain the database schema for users and teams',
      });
      const asked = (await t.engine.runs()).find(({ metadata }) => metadata['runId'] === runId);
      expect(asked?.inputText).toBe(run.userMessage);
      expect(asked?.instructions?.endsWith(run.instructions)).toBe(true);
    },
  },

  'bash at Run Status Monitoring › Check Run Status': {
    says: 'tells how a run stands, and that its own run id does not exist',
    async prove(text) {
      const created = await post();
      const run = await curl(text.replace(documentedRunId, created.body.runId));
      expect(run).toMatchObject({ runId: created.body.runId, status: expect.any(String) });
      expect(await curl(text)).toEqual({ message: 'Run not found', code: 'run_not_found' });
    },
  },

  [workflow]: {
    says: 'creates a run and follows it through every status until it is completed',
    async prove(text) {
      // Long enough that even a busy machine looks in each of them; at 15 times the pace, 30 looks take 4 s.
      await t.engine.timing({ queueMs: 1_500, runMs: 1_500 });
      const page = openPage(text, {}, 15);
      await page.result;
      const statuses = statusesSeen(page);
      expect(statuses.join(' ')).toMatch(/^(queued )+(in_progress )+completed$/);
      const { body: run } = await t.call(thread.concat('/runs/', String(page.printed[1]?.[1]).slice(15)));
      expect(page.printed).toEqual([
        ['log', '🚀 Creating run...'],
        ['log', `✅ Run created: ${run.runId}`],
        ['log', '📊 Initial status: queued'],
        ['log', `🔄 Monitoring run ${run.runId}...`],
        ...looks(statuses).flatMap((look, index) => [
          look,
          ...(statuses[index] === 'completed' ? [] : [['log', `⏳ Run ${statuses[index]}, waiting...`]]),
        ]),
        ['log', '✅ Run completed successfully!'],
        ['log', expect.stringMatching(/^⏱️ {2}Total time: \d+ms$/)],
        ['log', '🎉 Workflow completed!'],
        [
          'log',
          'Final run data:',
          {
            runId: run.runId,
            status: 'completed',
            createdAt: run.createdAt,
            completedAt: run.completedAt,
          },
        ],
      ]);

      await t.engine.reset();
      const result = await page.call('createAndMonitorRun', projectId, threadId, 'And again?');
      expect(result).toEqual({
        ...JSON.parse(blocks.get('json at Response Structures › Create Run Response (201 Created)') ?? ''),
        runId: aRunId,
        createdAt: aTime,
        instructions: 'Provide detailed explanations with code examples where applicable.',
        userMessage: 'And again?',
        finalStatus: (await t.call(`${thread}/runs/${result.runId}`)).body,
      });
      expect(result.finalStatus.status).toBe('completed');
    },
  },

  'json at Response Structures › Create Run Response (201 Created)': {
    says: 'has the fields and values of the response to a create',
    prove: proveCreated,
  },

  'json at Response Structures › Get Run Status Response (200 OK)': {
    says: 'has the fields and values of the response about a completed run, which adds usage and expiresAt',
    async prove(text) {
      const created = await post();
      const response = await t.finish(runPath(created));
      expect(response.status).toBe(200);
      expect(response.body).toEqual({
        ...JSON.parse(text),
        runId: created.body.runId,
        createdAt: created.body.createdAt,
        startedAt: aTime,
        completedAt: aTime,
        usage: expect.any(Object),
        expiresAt: aTime,
      });
    },
  },

  'json at Error Responses › 400 Bad Request': {
    says: 'is the response to a create without a message',
    prove: proveError.invalid,
  },
  'json at Error Responses › 401 Unauthorized': {
    says: 'is the response to a request without a token',
    prove: proveError.unauthorized,
  },
  'json at Error Responses › 403 Forbidden': {
    says: "is the response to a token of another project's",
    prove: proveError.denied,
  },
  'json at Error Responses › 404 Not Found': {
    says: 'is the response for a thread that does not exist',
    prove: proveError.threadNotFound,
  },
  'json at Error Responses › 404 Not Found (2)': {
    says: 'is the response for a run that does not exist',
    prove: proveError.runNotFound,
  },
  'json at Error Responses › 500 Internal Server Error': {
    says: 'is the response to a create that fails',
    prove: proveError.createFailed,
  },
  'json at Error Responses › 500 Internal Server Error (2)': {
    says: 'is the response to a look that fails',
    prove: proveError.checkFailed,
  },

  'javascript at Best Practices › 2. Error Handling': {
    says: "tells a failed run's message and an expired run, and knows no other end",
    async prove(text) {
      const { printed, call } = openPage(text);
      const runs = await runsInEveryStatus();
      for (const run of Object.values(runs)) call('handleRunError', run.status, run);
      expect(printed).toEqual([
        ['error', 'Unknown run status:', 'completed'],
        ['error', 'Run failed:', 'The assistant could not finish the run: server_error.'],
        ['error', 'Unknown run status:', 'in_progress'],
        ['error', 'Unknown run status:', 'queued'],
        ['warn', 'Run timed out'],
      ]);
    },
  },

  'javascript at Best Practices › 3. User Experience': {
    says: 'has a text for every status',
    async prove(text) {
      const shown: string[] = [];
      const { call } = openPage(text, { updateUI: (message: string) => shown.push(message) });
      for (const run of Object.values(await runsInEveryStatus())) call('updateRunProgress', run.status, run);
      expect(shown).toEqual([
        '✅ Response ready!',
        '❌ Something went wrong',
        '🤖 Assistant is processing your request...',
        '⏳ Your request is queued...',
        '⏰ Request timed out',
      ]);
    },
  },

  'javascript at Integration Tips › With React/Vue/Angular': {
    says: 'holds the finished run, and the reason when none could be started',
    async prove(text) {
      const states: unknown[][] = [];
      const useState = (initial: unknown) => {
        const values = [initial];
        states.push(values);
        return [initial, (value: unknown) => void values.push(value)];
      };
      // The hook calls the workflow of the same document, which runs its own example first.
      const page = openPage(`${text}\n${blocks.get(workflow)}`, { useState });
      await page.result;

      await page.call('useRunMonitoring', projectId, threadId).createRun('And again?');
      expect(states).toEqual([
        [null, expect.objectContaining({ userMessage: 'And again?', runId: aRunId })],
        [false, true, false],
        [null, null],
      ]);
      expect(states[0]?.[1]).toMatchObject({ finalStatus: { status: 'completed' } });

      states.length = 0;
      await t.engine.fault({ method: 'POST', path: '/v1/responses' }, engineRefusesKey);
      await page.call('useRunMonitoring', projectId, threadId).createRun('And again?');
      expect(states).toEqual([[null], [false, true, false], [null, null, 'Failed to create run: 500']]);
    },
  },

  'bash at Integration Tips › Next Steps After Run Completion': {
    says: 'is a request, not a command: its latest message of the assistant is the answer',
    async prove(text) {
      const path = await t.openThread(projectId);
      await t.finish(runPath(await post(path)));
      const [, method = '', target = ''] = /^(\w+) \/api\/(\S+)$/m.exec(text) ?? [];
      const ofThread = { '{projectId}': projectId, '{threadId}': path.split('/').at(-1) ?? '' };
      const url = target.replaceAll(/\{\w+\}/g, (name) => ofThread[name as keyof typeof ofThread]);
      const { status, body } = await t.call(url, { method, token });
      expect(status).toBe(200);
      const latest = body.messages.findLast(({ role }: { role: string }) => role === 'assistant');
      expect(latest.content).toContain('database-schema.md');
    },
  },

  'json at Response Structure › Success Response (200 OK)': {
    says: 'has the fields and values of the response to a create, whose status is 201 all the same',
    prove: proveCreated,
  },

  'javascript at Response Structure › Using the Response Data › Example: Monitoring Run Progress': {
    says: 'creates a run from a page of the same host',
    async prove(text) {
      const page = openPage(text);
      const result = await page.call('createAndMonitorRun', projectId, threadId, 'What is a sprint?');
      const { body: run } = await t.call(`${thread}/runs/${result.runId}`);
      expect(result).toEqual({
        runId: run.runId,
        threadId,
        status: 'queued',
        createdAt: new Date(run.createdAt),
      });
      expect(page.printed).toEqual([
        ['log', 'Run created:', run.runId],
        ['log', 'Initial status:', 'queued'],
      ]);
    },
  },

  'javascript at Response Structure › Using the Response Data › Example: Displaying Run Information': {
    says: 'shows a run as created and in every status',
    async prove(text) {
      const { printed, call } = openPage(text);
      const created = await post(thread, {
        body: { message: 'What is a sprint?', instructions: 'Briefly.' },
      });
      const runs = [created.body, ...Object.values(await runsInEveryStatus())];
      for (const run of runs) call('displayRunInfo', run);
      const shown = printed.map(([, text]) => String(text));
      for (const [index, run] of runs.entries()) {
        expect(shown[index]).toContain(`Run ID: ${run.runId}`);
        expect(shown[index]).toContain(`Status: ${run.status.toUpperCase()}`);
        expect(shown[index]).toContain(run.startedAt ? '🚀 Started: ' : '⏳ Not started yet');
        expect(shown[index]?.includes('✅ Completed: ')).toBe(run.completedAt !== null);
        expect(shown[index]).not.toMatch(/undefined|Invalid Date/);
      }
      expect(shown[0]).toContain('📝 Message: "What is a sprint?"');
      expect(shown[0]).toContain('🎯 Instructions: "Briefly."');
    },
  },

  'json at Error Responses › 400 Bad Request (2)': {
    says: 'is the response to a create without a message',
    prove: proveError.invalid,
  },
  'json at Error Responses › 401 Unauthorized (2)': {
    says: 'is the response to a request without a token',
    prove: proveError.unauthorized,
  },
  'json at Error Responses › 403 Forbidden (2)': {
    says: "is the response to a token of another project's",
    prove: proveError.denied,
  },
  'json at Error Responses › 404 Not Found (3)': {
    says: 'is the response for a thread that does not exist',
    prove: proveError.threadNotFound,
  },
  'json at Error Responses › 500 Internal Server Error (3)': {
    says: 'has the fields of the response to a create that fails, with a sentence that is not used',
    async prove(text) {
      const documented = JSON.parse(text);
      // The document has two sentences for one case; the service has the one of its newer half (see above).
      expect(documented.message).toBe('Failed to create thread run');
      const { message } = JSON.parse(blocks.get('json at Error Responses › 500 Internal Server Error') ?? '');
      await proveError.createFailed(JSON.stringify({ ...documented, message }));
    },
  },

  'javascript at Integration Flow › Complete Example Workflow': {
    says: 'creates a run from a page of the same host and tells its id',
    async prove(text) {
      const page = openPage(text);
      await page.result;
      const runId = page.printed.at(-1)?.[2];
      expect(runId).toEqual(aRunId);
      const userMessage = 'What are the best practices for error handling in this codebase?';
      expect(page.printed).toEqual([
        ['log', '✅ Run created successfully!'],
        ['log', 'Run ID:', runId],
        ['log', 'Status:', 'queued'],
        ['log', 'User message:', userMessage],
        ['log', 'Run created with ID:', runId],
      ]);
      await t.finish(`${thread}/runs/${runId}`);
      expect(await page.call('continueConversation', projectId, threadId, 'And again?')).toMatchObject({
        runId: aRunId,
        threadId,
        status: 'queued',
        userMessage: 'And again?',
      });
    },
  },
};

const blocks = new Map(readBlocks().map(({ name, text }) => [name, text]));

describe('the document', () => {
  test('has a proof here for every block, and no proof here has lost its block', () => {
    expect(Object.keys(proofs)).toEqual([...blocks.keys()]);
  });

  test.each(Object.entries(proofs).map(([name, proof]) => ({ name, ...proof })))(
    '$name: $says',
    ({ name, prove }) => prove(blocks.get(name) ?? ''),
  );
});

describe("the document's workflow", () => {
  /** It catches what it throws and looks again, up to its last attempt; a recorded end never changes meanwhile. */
  function expectEnd(page: Page, status: string, announced: string, message: string): void {
    const statuses = statusesSeen(page);
    expect(statuses).toHaveLength(30);
    expect(statuses.join(' ')).toMatch(new RegExp(`^((queued|in_progress) )*${status}( ${status})*$`));
    const waited = statuses.indexOf(status);
    const ends = looks(statuses).slice(waited);
    expect(page.printed.slice(-3 * ends.length - 2)).toEqual([
      ...ends.flatMap((look, index) => [
        look,
        ['log', announced],
        ['error', `❌ Error checking run status (attempt ${waited + index + 1}):`, message],
      ]),
      ['error', '❌ Error in run workflow:', message],
      ['error', '💥 Workflow failed:', message],
    ]);
  }

  test('tells why a run failed', async () => {
    await t.engine.outcome({ status: 'failed', code: 'server_error' });
    const page = openPage(blocks.get(workflow) ?? '', {}, 200);
    await page.result;
    const reason = 'The assistant could not finish the run: server_error.';
    expectEnd(page, 'failed', '❌ Run failed!', `Run failed: ${reason}`);
  });

  test('tells that a run expired', async () => {
    await t.stop();
    await t.restart({ RUN_TIMEOUT_SECONDS: '1' });
    await t.engine.outcome({ status: 'never' });
    const page = openPage(blocks.get(workflow) ?? '', {}, 40);
    await page.result;
    expectEnd(page, 'expired', '⏰ Run expired!', 'Run expired before completion');
    await t.stop();
    await t.restart();
  });

  test('tells the status of a create that was refused', async () => {
    await t.engine.outcome({ status: 'never' });
    const busy = await post();
    const page = openPage(blocks.get(workflow) ?? '');
    await page.result;
    expect(page.printed).toEqual([
      ['log', '🚀 Creating run...'],
      ['error', '❌ Error in run workflow:', 'Failed to create run: 409'],
      ['error', '💥 Workflow failed:', 'Failed to create run: 409'],
    ]);
    const cancelled = await t.call(`${runPath(busy)}/cancel`, { method: 'POST' });
    expect(cancelled.body.status).toBe('cancelled');
  });
});
