import { beforeAll, describe, expect, test } from '@jest/globals';
import { type Operation, operations } from '../../shared/openai/router.ts';
import { checkedFetch } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { createForgedTokens } from '../support/forgedTokens.ts';
import { rowsOf } from '../support/table.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

const t = useService();

/** Ids of a project, by the parameters of paths, and the id of a call that its run waits for. */
type Ids = Readonly<
  Record<
    | ('assistantId' | 'threadId' | 'messageId' | 'runId' | 'stepId' | 'fileId' | 'callId')
    | ('vectorStoreId' | 'batchId' | 'model'),
    string
  >
>;

interface Case {
  /** A body that succeeds. */
  readonly body?: (own: Ids) => object;
  /** Places besides the path that take an id: with one of another project, the status and the parameter at fault. */
  readonly elsewhere?: readonly (readonly [
    place: (foreign: Ids) => Elsewhere,
    status: number,
    param?: string,
  ])[];
}

interface Elsewhere {
  readonly query?: string;
  readonly body?: object;
}

function fileForm(): FormData {
  const form = new FormData();
  form.set('purpose', 'assistants');
  form.set('file', new File(['canary bird'], 'canary.txt'));
  return form;
}

const labels = () => ({ metadata: { mine: 'yes' } });
const cursors = (name: keyof Ids): NonNullable<Case['elsewhere']> =>
  ['after', 'before'].map((param) => [(foreign) => ({ query: `${param}=${foreign[name]}` }), 400, param]);
const ofAssistant: NonNullable<Case['elsewhere']>[number] = [
  ({ assistantId }) => ({ body: { assistant_id: assistantId } }),
  404,
  'assistant_id',
];
const ofThread: NonNullable<Case['elsewhere']>[number] = [
  ({ threadId }) => ({ body: { thread_id: threadId } }),
  400,
  'thread_id',
];
/** A file of somebody else, in a body that these properties make. */
const ofFile = (place: (fileId: string) => object): NonNullable<Case['elsewhere']>[number] => [
  ({ fileId }) => ({ body: place(fileId) }),
  404,
  'file_id',
];
const attachedTo = (fileId: string) => [{ role: 'user', content: 'x', attachments: [{ file_id: fileId }] }];
const shownTo = (fileId: string) => [
  { role: 'user', content: [{ type: 'image_file', image_file: { file_id: fileId } }] },
];
const resourcesWith = (fileId: string) => ({
  tool_resources: { code_interpreter: { file_ids: [fileId] } },
});

/** A vector store of somebody else. */
const ofStore = (within?: 'thread'): NonNullable<Case['elsewhere']>[number] => [
  ({ vectorStoreId }) => {
    const resources = { tool_resources: { file_search: { vector_store_ids: [vectorStoreId] } } };
    return { body: within ? { [within]: resources } : resources };
  },
  404,
  `${within ? 'thread.' : ''}tool_resources.file_search.vector_store_ids`,
];
const withFile = ({ fileId }: Ids) => ({ file_id: fileId });
const filesOf = ({ fileId }: Ids) => ({ file_ids: [fileId] });

const outputsFor = ({ callId }: Ids) => ({ tool_outputs: [{ tool_call_id: callId, output: 'x' }] });

const cases: Readonly<Record<Operation, Case>> = {
  // A position in time.
  listAssistants: {
    elsewhere: ['after', 'before'].map((name) => [
      ({ assistantId: id }) => ({ query: `${name}=${id}` }),
      200,
    ]),
  },
  createAssistant: { body: () => ({ model: 'gpt-5-mini' }), elsewhere: [ofFile(resourcesWith), ofStore()] },
  retrieveAssistant: {},
  updateAssistant: { body: () => ({ name: 'Mine' }), elsewhere: [ofFile(resourcesWith), ofStore()] },
  deleteAssistant: {},
  createThread: {
    body: () => ({}),
    elsewhere: [
      ofThread,
      ofFile((fileId) => ({ messages: attachedTo(fileId) })),
      ofFile((fileId) => ({ messages: shownTo(fileId) })),
      ofFile(resourcesWith),
      ofStore(),
    ],
  },
  createThreadAndRun: {
    body: () => ({}),
    elsewhere: [
      ...[ofAssistant, ofThread],
      ofFile((fileId) => ({ thread: { messages: attachedTo(fileId) } })),
      ofFile((fileId) => ({ thread: resourcesWith(fileId) })),
      ofFile(resourcesWith),
      ofStore(),
      ofStore('thread'),
    ],
  },
  retrieveThread: {},
  updateThread: { body: labels, elsewhere: [ofFile(resourcesWith), ofStore()] },
  deleteThread: {},
  createMessage: {
    body: () => ({ role: 'user', content: 'Hello' }),
    elsewhere: [
      ofFile((fileId) => attachedTo(fileId)[0] ?? {}),
      ofFile((fileId) => shownTo(fileId)[0] ?? {}),
    ],
  },
  listMessages: {
    elsewhere: [...cursors('messageId'), [({ runId }) => ({ query: `run_id=${runId}` }), 404, 'run_id']],
  },
  retrieveMessage: {},
  updateMessage: { body: labels },
  deleteMessage: {},
  createRun: {
    body: () => ({}),
    elsewhere: [
      ...[ofAssistant, ofThread],
      ofFile((fileId) => ({ additional_messages: attachedTo(fileId) })),
      ofFile((fileId) => ({ additional_messages: shownTo(fileId) })),
    ],
  },
  listRuns: {
    // A cursor is a position in time; what it names is not read.
    elsewhere: [
      [({ runId }) => ({ query: `after=${runId}` }), 200],
      [({ runId }) => ({ query: `before=${runId}` }), 400, 'before'],
      [({ runId }) => ({ query: `order=asc&after=${runId}` }), 400, 'after'],
    ],
  },
  retrieveRun: {},
  updateRun: { body: labels },
  cancelRun: {},
  listSteps: { elsewhere: cursors('stepId') },
  retrieveStep: {},
  submitToolOutputs: {
    body: outputsFor,
    elsewhere: [[(foreign) => ({ body: outputsFor(foreign) }), 400, 'tool_outputs[0].tool_call_id']],
  },
  createFile: { body: () => fileForm() },
  listFiles: { elsewhere: [[({ fileId }) => ({ query: `after=${fileId}` }), 400, 'after']] },
  retrieveFile: {},
  retrieveFileContent: {},
  deleteFile: {},
  createVectorStore: {
    body: () => ({ name: 'Mine' }),
    elsewhere: [ofFile((fileId) => ({ file_ids: [fileId] }))],
  },
  listVectorStores: { elsewhere: cursors('vectorStoreId') },
  retrieveVectorStore: {},
  updateVectorStore: { body: () => ({ name: 'Mine' }) },
  deleteVectorStore: {},
  searchVectorStore: { body: () => ({ query: 'bird' }) },
  createVectorStoreFile: { body: withFile, elsewhere: [ofFile((fileId) => ({ file_id: fileId }))] },
  listVectorStoreFiles: { elsewhere: cursors('fileId') },
  retrieveVectorStoreFile: {},
  updateVectorStoreFile: { body: () => ({ attributes: { mine: true } }) },
  deleteVectorStoreFile: {},
  retrieveVectorStoreFileContent: {},
  createFileBatch: {
    body: filesOf,
    elsewhere: [
      ofFile((fileId) => ({ file_ids: [fileId] })),
      // In place of the body's own.
      ofFile((fileId) => ({ file_ids: null, files: [{ file_id: fileId }] })),
    ],
  },
  retrieveFileBatch: {},
  cancelFileBatch: {},
  listFileBatchFiles: { elsewhere: cursors('fileId') },
  listModels: {},
  retrieveModel: {},
};

test('every route has its case', () => {
  expect(Object.keys(cases).sort()).toEqual(operations.map(({ operation }) => operation).sort());
});

interface Sent {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** JSON unless it is a string or a form. */
  readonly body?: object | string | undefined;
}

async function send({ path, method = 'GET', headers = {}, body }: Sent) {
  const isForm = body instanceof FormData;
  const response = await checkedFetch(`${t.url}/api/projects/${path}`, {
    method,
    headers: { ...headers, ...(body && !isForm && { 'Content-Type': 'application/json' }) },
    ...(body && { body: isForm || typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('Content-Type')?.startsWith('application/json');
  return { status: response.status, text, body: isJson ? JSON.parse(text) : {} };
}

const bearer = async (claims: Record<string, unknown>) => ({
  Authorization: `Bearer ${await t.issuer.sign(claims)}`,
});

const fill = (path: string, ids: Readonly<Partial<Ids>>) =>
  path.replace(/\{(\w+)\}/g, (_, name: keyof Ids) => ids[name] ?? name);

interface Tenant {
  readonly projectId: string;
  readonly headers: Record<string, string>;
  readonly ids: Ids;
  /** A thread without a run. */
  readonly idleThreadId: string;
}

/** Creates a project with one of everything. Its run waits. */
async function openTenant(editor: string): Promise<Tenant> {
  const { projectId } = await t.addProject({ editors: [editor] });
  const headers = await bearer({ sub: editor, projects: [projectId] });
  const call = async (path: string, body?: object) =>
    (await send({ path: `${projectId}/openai/v1/${path}`, method: body ? 'POST' : 'GET', headers, body }))
      .body;
  const tools = [{ type: 'function', function: { name: 'get_weather' } }];
  const assistant = await call('assistants', { model: 'gpt-5-mini', name: 'canary', tools });
  const thread = await call('threads', { metadata: { canary: editor } });
  const message = await call(`threads/${thread.id}/messages`, { role: 'user', content: 'canary' });
  await t.engine.outcome(replies.functionCall('get_weather', { city: 'canary' }));
  const { id } = await call(`threads/${thread.id}/runs`, { assistant_id: assistant.id });
  const runPath = `threads/${thread.id}/runs/${id}`;
  await until('the run waits', async () => (await call(runPath)).status === 'requires_action');
  const { required_action } = await call(runPath);
  const [step] = (await call(`${runPath}/steps`)).data;
  const file = await call('files', fileForm());
  const store = await call('vector_stores', { name: 'canary', file_ids: [file.id] });
  const batch = await call(`vector_stores/${store.id}/file_batches`, { file_ids: [file.id] });
  const ids = {
    vectorStoreId: store.id,
    batchId: batch.id,
    model: 'gpt-5-mini',
    assistantId: assistant.id,
    threadId: thread.id,
    messageId: message.id,
    runId: id,
    stepId: step.id,
    fileId: file.id,
    callId: required_action.submit_tool_outputs.tool_calls[0].id,
  };
  const { id: idleThreadId } = await call('threads', {});
  return { projectId, headers, ids, idleThreadId };
}

let own: Tenant;
let foreign: Tenant;
let forgedTokens: Readonly<Record<string, string>>;
/** A token that is not forged. */
let good: string;
beforeAll(async () => {
  own = await openTenant('alice');
  foreign = await openTenant('bob');
  const claims = { sub: 'bob', projects: [foreign.projectId] };
  forgedTokens = await createForgedTokens(t.issuer, claims);
  good = await t.issuer.sign(claims);
});

/** Sends requests again if the store has served something else, as follow-ups of runs reach it at any time. */
async function untilUndisturbed(requests: () => Promise<void>, isQuiet: () => boolean): Promise<void> {
  for (let attempts = 0; attempts < 3; attempts++) {
    t.store.reset();
    await requests();
    if (isQuiet()) return;
  }
  expect(t.store.roundTrips).toEqual(['none but the requests’ own']);
}

describe.each(operations)('$operation', ({ operation, method, path }) => {
  const { body = () => undefined, elsewhere = [] } = cases[operation];
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof Ids);

  test.each([
    ['openai/v1', (token: string) => ({ Authorization: `Bearer ${token}` })],
    ['openai', (token: string) => ({ 'api-key': token })],
  ])('below %s, refuses every forged token before anything is read', async (base, toHeaders) => {
    const forged: [string, Record<string, string>][] = [
      ['no token', {}],
      ['a bad token and a good key', { Authorization: 'Bearer x', 'api-key': good }],
      ...Object.entries(forgedTokens).map(([name, token]): [string, Record<string, string>] => [
        name,
        toHeaders(token),
      ]),
    ];
    const target = `${foreign.projectId}/${base}/${fill(path, foreign.ids)}`;
    await untilUndisturbed(
      async () => {
        const statuses = forged.map(async ([name, headers]) => [
          name,
          (await send({ path: target, method, headers, body: body(foreign.ids) })).status,
        ]);
        expect(await Promise.all(statuses)).toEqual(forged.map(([name]) => [name, 401]));
      },
      () => t.store.roundTrips.length === 0,
    );
    expect(await t.engine.calls()).toEqual([]);
  });

  test('refuses a caller of another project', async () => {
    const token = await t.issuer.sign({ sub: 'alice', projects: [own.projectId] });
    for (const headers of [{ Authorization: `Bearer ${token}` }, { 'api-key': token }]) {
      const target = `${foreign.projectId}/openai/v1/${fill(path, foreign.ids)}`;
      const response = await send({ path: target, method, headers, body: body(foreign.ids) });
      expect([response.status, response.body.error.code]).toEqual([403, 'access_denied']);
    }
    expect(await t.engine.calls()).toEqual([]);
  });

  test('does not find what is another project’s, wherever its id stands', async () => {
    // Ids that were reserved for a request, and the project's secret, do not count.
    const read = async () =>
      (await Promise.all([rowsOf(own.projectId), rowsOf(foreign.projectId)]))
        .flat()
        .filter(({ partitionKey }) => !/:(keys|secret)$/.test(String(partitionKey)));
    const before = await read();
    const send_ = async (target: string, sent: object | undefined) => {
      const response = await send({
        ...{ path: `${own.projectId}/openai/v1/${target}`, method, headers: own.headers },
        body: sent,
      });
      return { ...response, param: response.body.error?.param };
    };
    // Models are the same in all projects.
    const ids = parameters.filter((name) => name !== 'model');
    for (const [index] of ids.entries()) {
      // A parent of one's own, and everything below it somebody else's.
      const mixed = Object.fromEntries(
        ids.map((name, position) => [name, (position < index ? own : foreign).ids[name]]),
      );
      const response = await send_(fill(path, mixed), body(own.ids));
      expect(response.status).toBe(404);
      expect(response.text).not.toContain('canary');
    }
    for (const [place, status, param = undefined] of elsewhere) {
      const { query, body: changed } = place(foreign.ids);
      const response = await send_(
        `${fill(path, param === 'file_id' ? { ...own.ids, threadId: own.idleThreadId } : own.ids)}${query ? `?${query}` : ''}`,
        changed ? { ...body(own.ids), ...changed } : body(own.ids),
      );
      expect([query ?? changed, response.status, response.param]).toEqual([query ?? changed, status, param]);
      expect(response.text).not.toContain('bob');
      const listed = response.body.data?.map(({ id }: { id: string }) => id) ?? [];
      for (const id of [foreign.ids.runId, foreign.ids.assistantId]) expect(listed).not.toContain(id);
    }
    expect(await read()).toEqual(before);
    expect((await t.engine.calls()).filter((call) => !call.startsWith('GET '))).toEqual([]);
  });

  test('checks token, project, rights, ids, query and body in this order', async () => {
    const forEditors = /Assistant$/.test(operation) && method !== 'GET';
    const malformed = Object.fromEntries(parameters.map((name) => [name, '%20']));
    const unknown = { ...foreign.ids, assistantId: 'asst_none', threadId: 'thread_none' };
    const isThread = path.startsWith('threads/{');
    const sent = (ids: object, query: string, text?: string) => ({
      path: `${fill(path, ids)}${query}`,
      method,
      body: method === 'POST' ? text : undefined,
    });
    const worst = sent(malformed, '?colour=red', '{');
    const statusOf = async (project: string, headers: Record<string, string>, request: Sent) =>
      (await send({ ...request, path: `${project}/openai/v1/${request.path}`, headers })).status;
    const member = await bearer({ sub: 'carol', projects: [own.projectId] });
    const sendAll = async () => {
      expect(await statusOf(foreign.projectId, { Authorization: 'Bearer x' }, worst)).toBe(401);
      expect(await statusOf(foreign.projectId, own.headers, worst)).toBe(403);
      if (forEditors) expect(await statusOf(own.projectId, member, worst)).toBe(403);
      if (isThread) expect(await statusOf(own.projectId, own.headers, worst)).toBe(404);
      expect(await statusOf(own.projectId, own.headers, sent(unknown, '?colour=red', '{'))).toBe(400);
      for (const text of method === 'POST' ? ['{', '{"colour":"red"}'] : []) {
        const status = await statusOf(own.projectId, own.headers, sent(unknown, '', text));
        expect(status).toBe(operation === 'createFile' ? 415 : 400);
      }
    };
    // The two projects themselves, unless they are cached.
    await untilUndisturbed(
      sendAll,
      () => t.store.roundTrips.length <= 2 && t.store.roundTrips.every((kind) => kind === 'read'),
    );
    expect(await t.engine.calls()).toEqual([]);
  });

  test('discloses no text of a client or of the engine, in neither log nor error', async () => {
    const text = 'canary-of-a-client';
    const target = `${own.projectId}/openai/v1/${fill(path, own.ids)}`;
    const bodies = [`{"${text}`, { metadata: { [text]: 7 } }, { [text.repeat(9)]: text }, { metadata: text }];
    const requests: Sent[] = [
      { path: `${target}?limit=${text}&order=${text}` },
      ...(method === 'POST' ? bodies : []).map((sent) => ({ path: target, body: sent })),
    ];
    for (const request of requests) {
      const headers = {
        ...own.headers,
        'X-Request-Id': text,
        'OpenAI-Organization': text,
        'User-Agent': text,
      };
      const { status, body: response } = await send({ ...request, method, headers });
      // An unknown parameter is named to those who sent it.
      if (status !== 200 && response.error.code !== 'unknown_parameter') {
        expect(response.error.message).not.toContain(text);
      }
    }
    expect(t.log()).not.toContain(text);
  });
});

describe('with an engine whose errors quote what people wrote', () => {
  let idle: Tenant;
  beforeAll(async () => {
    idle = await openTenant('eve');
    await send({
      path: `${idle.projectId}/openai/v1/threads/${idle.ids.threadId}/runs/${idle.ids.runId}/cancel`,
      ...{ method: 'POST', headers: idle.headers },
    });
  });

  // What ends others comes last.
  describe.each([
    ['reads and changes', operations.filter(({ method }) => method !== 'DELETE')],
    ['deletions', operations.filter(({ method }) => method === 'DELETE').toReversed()],
  ])('%s', (_, some) => {
    test.each([400, 404, 429, 500])('quote nothing of a %s', async (status) => {
      const message = 'canary-of-the-engine';
      await t.engine.fault({ path: '/v1' }, { kind: 'status', status, message }, null);
      for (const { operation, method, path } of some) {
        const target = `${idle.projectId}/openai/v1/${fill(path, idle.ids)}`;
        const body = cases[operation].body?.(idle.ids);
        const { text } = await send({ path: target, method, headers: idle.headers, body });
        expect([operation, text]).not.toEqual([operation, expect.stringContaining(message)]);
      }
      expect(t.log()).not.toContain('canary');
    });
  });
});

test('every request of the matrix succeeds for a caller of the project', async () => {
  const { projectId, headers, ids } = await openTenant('dave');
  const known: Record<keyof Ids, string> = { ...ids };
  const last: Operation[] = [
    ...(['submitToolOutputs', 'createMessage', 'createRun', 'cancelRun', 'deleteMessage'] as const),
    ...(['deleteVectorStoreFile', 'deleteVectorStore'] as const),
    ...(['deleteFile', 'deleteThread', 'deleteAssistant'] as const),
  ];
  const rank = ({ operation }: { operation: Operation }) => last.indexOf(operation);
  for (const { operation, method, path } of operations.toSorted((one, other) => rank(one) - rank(other))) {
    if (operation === 'createRun') await t.engine.outcome({ status: 'never' });
    const target = `${projectId}/openai/v1/${fill(path, known)}`;
    const response = await send({ path: target, method, headers, body: cases[operation].body?.(known) });
    expect([operation, response.status, response.body.error]).toEqual([operation, 200, undefined]);
    if (operation === 'createRun') known.runId = response.body.id;
    if (operation !== 'submitToolOutputs') continue;
    const run = `${projectId}/openai/v1/threads/${ids.threadId}/runs/${ids.runId}`;
    await until('the run ends', async () => (await send({ path: run, headers })).body.status === 'completed');
  }
});

test('an id in another spelling, or with an encoded slash, is not found', async () => {
  const { projectId, headers, ids } = own;
  const climb = encodeURIComponent(`../../../${foreign.projectId}/openai/v1/threads/${foreign.ids.threadId}`);
  const statusOf = async (path: string) => (await send({ path, headers })).status;
  expect(await statusOf(`${projectId}/openai/v1/threads/${climb}`)).toBe(404);
  expect(await statusOf(`${projectId}/openai/v1/threads/${ids.threadId.toUpperCase()}`)).toBe(404);
  const inForeignThread = `${ids.fileId}.${foreign.ids.threadId}`;
  expect(await statusOf(`${projectId}/openai/v1/files/${inForeignThread}/content`)).toBe(404);
  expect(await statusOf(`${encodeURIComponent(`${projectId}/x`)}/openai/v1/threads`)).toBe(403);
});
