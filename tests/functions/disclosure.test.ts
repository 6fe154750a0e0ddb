import { beforeAll, describe, expect, test } from '@jest/globals';
import { testAssistants } from '../support/backends.ts';
import { replies } from '../support/engine.ts';
import { engineIds, stateOf, visible } from '../support/projectState.ts';
import type { Call, TestResponse } from '../support/service.ts';
import { rowsOf } from '../support/table.ts';
import { useService } from '../support/useService.ts';

const engineKey = 'canary-key-of-the-engine';

const serverToken = 'canary-token-of-the-server';
const [assistant] = testAssistants;
const crm = {
  type: 'mcp',
  serverLabel: 'crm',
  serverUrl: 'https://crm.example/mcp',
  authorizationSetting: 'MCP_CRM_TOKEN',
};

const t = useService({
  OPENAI_API_KEY: engineKey,
  MCP_CRM_TOKEN: serverToken,
  ASSISTANTS: JSON.stringify([{ ...assistant, tools: [...(assistant?.tools ?? []), crm] }]),
});

describe('after successes and failures of all kinds', () => {
  const canary = {
    message: 'canary-message-1f3a',
    instructions: 'canary-instructions-77b0',
    engineMessage: 'canary-engine-message-09cc',
    invalidBody: 'canary-body-5d21',
    key: 'canary-idempotency-key-c4e8',
    query: 'canary-query-3b6f',
    path: 'canary-path-e812',
    claim: 'canary-claim-a6d4',
    kid: 'canary-kid-b9f2',
    projectName: 'canary-project-2e57',
    label: 'canary-label-91bd',
    labelOfThread: 'canary-label-of-thread-20af',
    arguments: 'canary-arguments-8d03',
    output: 'canary-output-e2b7',
    reason: 'canary-reason-41fa',
  };
  let projectId: string;
  const responses: TestResponse[] = [];
  const tokens: string[] = [];
  const answersOfAssistant: string[] = [];

  const tell = async (path: string, call: Call & { token: string }) => {
    tokens.push(call.token);
    const response = await t.call(path, call);
    responses.push(response);
    return response;
  };

  beforeAll(async () => {
    const { engine, store, issuer } = t;
    projectId = (await t.addProject({ name: canary.projectName, members: [canary.claim] })).projectId;
    const token = await issuer.sign({ sub: canary.claim, email: canary.claim });
    const threadsPath = `projects/${projectId}/threads`;
    const get = (path: string) => tell(path, { token });
    const create = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      tell(path, { method: 'POST', token, body, headers });
    const openThread = async () => `${threadsPath}/${(await create(threadsPath, {})).body.threadId}`;
    const change = (path: string, metadata: unknown) =>
      tell(path, { method: 'PATCH', token, body: { metadata } });
    const body = {
      message: `Explain the database schema ${canary.message}`,
      instructions: canary.instructions,
      metadata: { [canary.label]: canary.label },
    };

    const thread = await openThread();
    const key = { 'Idempotency-Key': canary.key };
    await engine.timing({ queueMs: 0, runMs: 60_000 });
    const created = await create(`${thread}/runs`, body, key);
    const run = `${thread}/runs/${created.body.runId}`;
    await get(run);
    await create(`${thread}/runs`, body);
    await create(`${thread}/runs`, body, key);
    await create(`${thread}/runs`, { ...body, message: `${canary.message} changed` }, key);

    const second = await openThread();
    await engine.timing({ queueMs: 0, runMs: 0 });
    const secondRun = `${second}/runs/${(await create(`${second}/runs`, body)).body.runId}`;
    await t.finish(secondRun);
    expect((await get(`${secondRun}/steps`)).body.steps).toHaveLength(3);
    const page = await get(`${second}?limit=1`);
    const rest = await get(`${second}?after=${page.body.lastId}`);
    answersOfAssistant.push(rest.body.messages[0].content);
    const labels = { [canary.labelOfThread]: canary.labelOfThread };
    await change(second, labels);
    await change(run, labels);
    await change(run, { [canary.label]: canary.label.repeat(100) });
    await get(`${threadsPath}?metadata[${canary.labelOfThread}]=${canary.labelOfThread}`);
    await get(`${second}/runs?metadata[${canary.label}]=${canary.label}`);
    store.inject('merge', 'fail', 5);
    await change(second, labels);
    store.reset();
    await get(`${second}?after=${canary.query}`);
    await get(`${second}?limit=${canary.query}`);
    await get(`${second}x${canary.path}`);
    await get(`${second}/runs/run_${canary.path}`);
    await get(`${second}/runs/run_none`);
    await get(`projects/${canary.path}/threads/thread_1`);
    await create(`${second}/runs`, `{"message":"${canary.invalidBody}`);
    await create(`${second}/runs`, { message: 7, instructions: canary.invalidBody.repeat(200) });
    await create(`${second}/runs`, body, { 'Idempotency-Key': `${canary.key} with spaces` });
    for (const bad of [
      `${token}x`,
      canary.claim,
      await issuer.sign({ sub: canary.claim, exp: 1 }),
      await issuer.sign({ sub: canary.claim }, { header: { kid: canary.kid } }),
    ]) {
      await tell(second, { token: bad });
    }

    const calling = await openThread();
    const call = { name: 'get_order', arguments: `{"id":"${canary.arguments}"}` };
    await engine.outcome(
      replies.items(
        { type: 'function_call', ...call },
        { type: 'mcp_approval_request', server_label: 'crm', ...call },
      ),
    );
    const waiting = `${calling}/runs/${(await create(`${calling}/runs`, body)).body.runId}`;
    const { requiredAction } = (await t.finish(waiting)).body;
    const outputs = {
      toolOutputs: [{ toolCallId: requiredAction.toolCalls[0].toolCallId, output: canary.output }],
      approvals: [
        { approvalId: requiredAction.approvals[0].approvalId, approve: false, reason: canary.reason },
      ],
    };
    await create(`${waiting}/tool-outputs`, {
      toolOutputs: [{ toolCallId: canary.path, output: canary.output }],
    });
    await engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      { kind: 'status', status: 400, code: 'x', message: canary.engineMessage },
    );
    await create(`${waiting}/tool-outputs`, outputs);
    await create(`${waiting}/tool-outputs`, outputs);
    await create(`${waiting}/tool-outputs`, outputs);
    responses.push(await t.finish(waiting));

    for (const outcome of [
      { status: 'failed', code: 'server_error', message: canary.engineMessage },
      { status: 'incomplete', reason: 'content_filter' },
    ]) {
      const failing = await openThread();
      await engine.outcome(outcome);
      const path = `${failing}/runs/${(await create(`${failing}/runs`, body)).body.runId}`;
      responses.push(await t.finish(path));
    }
    const said = { message: canary.engineMessage };
    for (const fault of [
      { kind: 'status', status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after': '7' }, ...said },
      ...[500, 503, 401, 403, 404, 422].map((status) => ({ kind: 'status', status, ...said })),
      { kind: 'status', status: 400, code: 'conversation_locked', ...said },
      { kind: 'status', status: 404, code: 'model_not_found', ...said },
      ...['drop', 'drop_after', 'garbage'].map((kind) => ({ kind })),
    ]) {
      const failing = await openThread();
      await engine.fault({ method: 'POST', path: '/v1/responses' }, fault);
      await create(`${failing}/runs`, body);
      await engine.fault({ method: 'GET', path: '/v1/responses' }, fault);
      await get(run);
      await engine.fault({ method: 'GET', path: '/v1/conversations' }, fault);
      await get(second);
      await engine.fault({ method: 'POST', path: '/v1/conversations' }, fault);
      await create(threadsPath, {});
    }
    for (const [kind, fault] of [
      ['read', 'fail'],
      ['transaction', 'fail'],
      ['insert', 'fail'],
      ['merge', 'fail'],
    ] as const) {
      const failing = await openThread();
      // More often than the store's client tries.
      store.inject(kind, fault, 5);
      await create(kind === 'insert' ? threadsPath : `${failing}/runs`, body);
      store.reset();
    }
    await engine.reset();
  });

  test('the statuses of the contract all occurred', () => {
    const statuses = new Set(responses.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([200, 201, 400, 401, 403, 404, 409, 422, 429, 500, 503]);
  });

  test('no id of the engine is in any response, header or line of the log', async () => {
    const ids = engineIds(await stateOf(t.engine, projectId));
    expect(ids.length).toBeGreaterThan(20);
    const all = [...responses.map(visible), t.log()].join('\n');
    expect(ids.filter((id) => all.includes(id))).toEqual([]);
    expect(all).not.toMatch(/\b(conv|resp|req|fs|fc|mcpr|call)_[0-9a-f]{12}/);
  });

  test('no response repeats what the engine or the store said, or where something was thrown', () => {
    for (const response of responses) {
      expect(visible(response)).not.toContain(canary.engineMessage);
      expect(visible(response)).not.toMatch(/node_modules|at async|\.cjs|AppError|RestError|azure/i);
    }
  });

  test('the log has a line for every request, and no token, message, response, key or claim in any', () => {
    const log = t.log();
    for (const { headers } of responses) expect(log).toContain(headers.get('X-Request-Id'));
    const parts = tokens.flatMap((token) => token.split('.')).filter((part) => part.length > 20);
    const accountKey = /AccountKey=([^;]+)/.exec(t.settings['TABLES_CONNECTION_STRING'] ?? '')?.[1];
    const secrets = [
      ...Object.values(canary),
      ...tokens,
      ...parts,
      engineKey,
      serverToken,
      accountKey ?? 'no account key',
    ];
    expect(secrets.filter((secret) => log.includes(secret))).toEqual([]);
    expect(answersOfAssistant).toEqual([expect.stringContaining('emulator')]);
    expect(log).not.toContain('emulator answering');
    for (const line of answersOfAssistant.join('\n').split('\n')) {
      if (line.length > 20) expect(log).not.toContain(line);
    }
  });

  test('the store has nothing that people or models wrote, and no token', async () => {
    const rows = JSON.stringify(await rowsOf(projectId));
    expect(rows).toContain('pendingCalls');
    const { message, instructions, arguments: written, output, reason } = canary;
    const secrets = [message, instructions, written, output, reason, serverToken, ...answersOfAssistant];
    expect(secrets.filter((secret) => rows.includes(secret))).toEqual([]);
  });

  test('the token of a server is sent to the engine with each request, and is nowhere else', async () => {
    const sent = (await t.engine.runs()).map(({ tools }) => tools.find(({ type }) => type === 'mcp'));
    expect(sent.length).toBeGreaterThan(2);
    for (const tool of sent) expect(tool).toMatchObject({ authorization: serverToken });
    expect(responses.map(visible).join('\n')).not.toContain(serverToken);
  });
});
