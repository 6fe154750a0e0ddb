import { execFile } from 'node:child_process';
import { scheduler } from 'node:timers/promises';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { freePort } from '../../local/azurite.ts';
import document from '../../openapi.json' with { type: 'json' };
import manifest from '../../package.json' with { type: 'json' };
import { replies } from '../support/engine.ts';
import { fileForm, pixel } from '../support/form.ts';
import { deviations, type Operation, operations, parseEvents } from '../support/openApi.ts';
import { idOf } from '../support/paths.ts';
import { projectFolder } from '../support/process.ts';
import type { Call, TestResponse } from '../support/service.ts';
import { answersTo, startWaitingRun, type WaitingRun } from '../support/toolRounds.ts';
import { question, type ServiceUnderTest, useService } from '../support/useService.ts';

const t = useService();
/** Without a setting that it needs. */
const unconfigured = useService({ ASSISTANTS: '' });
/** Without anyone to give it the issuer's keys. */
const keyless = useService(async () => ({ JWT_JWKS_URI: `http://127.0.0.1:${await freePort()}/keys` }));

beforeAll(() => t.addProject({ projectId: t.projectId, editors: ['editor'] }));

/** The ids that a path is filled with. */
interface Ids {
  readonly threadId: string;
  readonly runId: string;
  readonly fileId?: string;
  readonly documentId?: string;
}

/** Well-formed, but not an id of any file. */
const unknownFile = `file_${'x'.repeat(40)}`;

const unknownDocument = `doc_${'x'.repeat(40)}`;

const unknownIds: Ids = { threadId: 'thread_nosuch', runId: 'run_nosuch' };

interface Sent extends Call {
  readonly ids?: Ids;
  readonly query?: string;
  /** Unless it is the one where everything is well. */
  readonly to?: ServiceUnderTest;
}

type Send = (sent?: Sent) => Promise<TestResponse>;

/** Returns a valid body of an operation. */
function bodyOf(id: string, method: string): unknown {
  if (id === 'uploadFile' || id === 'addDocument') return fileForm('a.txt', 'Hello');
  return method === 'PATCH' ? { metadata: { a: 'b' } } : question;
}

/** Calls an operation as a client would who gets everything right, but for what is `sent`. */
const sender =
  ({ id, method, path, takesBody, needsToken }: Operation): Send =>
  async ({ ids = unknownIds, query = '', to = t, ...call } = {}) => {
    const filled = path
      .replace(
        /\{(\w+)\}/g,
        (_, name) =>
          ({ projectId: t.projectId, fileId: unknownFile, documentId: unknownDocument, ...ids })[
            name as keyof Ids
          ],
      )
      .slice(1);
    const response = await to.call(filled + query, {
      method,
      ...(takesBody && { body: bodyOf(id, method) }),
      ...(!needsToken && { token: null }),
      ...call,
    });
    return response;
  };

async function openThread(): Promise<Ids> {
  return { threadId: idOf(await t.openThread()), runId: unknownIds.runId };
}

/** A thread with a run that ends as the engine is told to. */
async function startRun(outcome?: object, headers: Record<string, string> = {}): Promise<Ids> {
  if (outcome) await t.engine.outcome({ ...outcome });
  const { thread, runId } = await t.startRun(undefined, { headers });
  return { threadId: idOf(thread), runId };
}

const startEndlessRun = () => startRun({ status: 'never' });

async function finishRun(outcome?: object): Promise<Ids> {
  const ids = await startRun(outcome);
  await t.finish(runPathOf(ids));
  return ids;
}

const idsOf = ({ thread, runId }: WaitingRun): Ids => ({ threadId: idOf(thread), runId });

/** A waiting run, and a request with what it waits for. */
async function startWaiting(): Promise<{ ids: Ids; body: object }> {
  const waiting = await startWaitingRun(t);
  return { ids: idsOf(waiting), body: answersTo(waiting.action) };
}

const refuseResponses = (fault: object) =>
  t.engine.fault({ method: 'POST', path: '/v1/responses', exact: true }, { kind: 'status', ...fault });

const expired = () => Math.floor(Date.now() / 1000) - 60;

/** The ways to get a response, by what tells them apart. */
type Ways = Readonly<Record<string, (send: Send, operation: Operation) => Promise<TestResponse>>>;

/** A response of any operation that describes it. */
const waysOfAll: Readonly<Record<number, Ways>> = {
  401: {
    'without a token': (send) => send({ token: null }),
    'with an expired token': async (send) => send({ token: await t.issuer.sign({ exp: expired() }) }),
    'with what is no token': (send) => send({ token: 'x' }),
  },
  403: {
    "for a stranger's token": async (send) => send({ token: await t.issuer.sign({ projects: [] }) }),
  },
  404: {
    'for an unknown thread': (send) => send(),
    'for an unknown run': async (send) => send({ ids: await openThread() }),
  },
  429: {
    'at the limit of the engine': async (send) => {
      const ids = await startEndlessRun();
      await Promise.all(
        ['GET', 'POST', 'DELETE'].map((method) =>
          t.engine.fault({ method, path: '/v1' }, { kind: 'status', status: 429, code: 'x' }, null),
        ),
      );
      return send({ ids });
    },
  },
  500: {
    'without its configuration': (send) => send({ to: unconfigured }),
  },
  503: {
    'without the store': async (send) => {
      await t.store.away();
      try {
        return await send();
      } finally {
        await t.store.back();
      }
    },
    'without the keys of the issuer': (send) => send({ to: keyless }),
  },
};

async function uploadFile(name = 'a.txt', content: string | Uint8Array = 'Hello'): Promise<Ids> {
  const body = fileForm(name, content);
  const { body: file } = await t.call(`projects/${t.projectId}/files`, { method: 'POST', body });
  return { ...unknownIds, fileId: file.fileId };
}

/** Gets a response while the engine refuses everything with 429. */
async function atTheLimit(send: Send, ids?: Ids): Promise<TestResponse> {
  await Promise.all(
    ['GET', 'POST', 'DELETE'].map((method) =>
      t.engine.fault({ method, path: '/v1' }, { kind: 'status', status: 429, code: 'x' }, null),
    ),
  );
  return send({ ...(ids && { ids }) });
}

const editor = () => t.issuer.sign({ sub: 'editor', projects: [t.projectId] });

async function addDocument(): Promise<Ids> {
  const { body } = await t.call(`projects/${t.projectId}/documents`, {
    method: 'POST',
    body: fileForm('a.md', '# A'),
    token: await editor(),
  });
  return { ...unknownIds, documentId: body.documentId };
}

/** What all operations on documents may answer. */
const waysOfDocuments: Readonly<Record<number, Ways>> = {
  403: {
    "for a stranger's token": async (send) => send({ token: await t.issuer.sign({ projects: [] }) }),
    'for a member who is no editor': async (send) =>
      send({ token: await t.issuer.sign({ projects: [t.projectId] }) }),
  },
  503: {
    'without the store': async (send) => {
      const token = await editor();
      await send({ token });
      await t.store.away();
      try {
        return await send({ token });
      } finally {
        await t.store.back();
      }
    },
    'without the keys of the issuer': (send) => send({ to: keyless }),
  },
  429: {
    'at the limit of the engine': async (send) => {
      const ids = await addDocument();
      return atTheLimit(async (sent) => send({ ...sent, token: await editor() }), ids);
    },
  },
};

/** What all operations on a file may answer. */
const waysOfFiles: Readonly<Record<number, Ways>> = {
  404: { 'for an unknown file': (send) => send() },
  429: { 'at the limit of the engine': async (send) => atTheLimit(send, await uploadFile()) },
};

/** A thread with a file that a code interpreter made. */
async function generateFile(): Promise<Ids> {
  const ids = await finishRun(replies.generatedFile('chart.png', pixel));
  const { body } = await t.call(`projects/${t.projectId}/threads/${ids.threadId}`);
  return { ...ids, fileId: body.messages.at(-1).annotations[0].fileId };
}

/** Uploads a file that stops arriving. */
async function stallUpload(collection: string, token: string): Promise<TestResponse> {
  const path = `projects/${t.projectId}/${collection}`;
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(
        Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'),
      );
      // So much that the host itself does not find it too slow.
      controller.enqueue(Buffer.alloc(20_000, 'x'));
      await scheduler.wait(24_000);
      controller.close();
    },
  });
  const received = await fetch(`${t.url}/api/${path}`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'multipart/form-data; boundary=b',
    },
    body,
    duplex: 'half',
    signal: AbortSignal.timeout(28_000),
  } as object);
  const text = await received.text();
  const response = { status: received.status, headers: received.headers, text, body: JSON.parse(text) };
  expect(deviations('POST', path, response)).toEqual([]);
  return response;
}

const pathOf = ({ threadId }: Ids) => `projects/${t.projectId}/threads/${threadId}`;
const runPathOf = (ids: Ids) => `${pathOf(ids)}/runs/${ids.runId}`;

/** A body larger than the service takes. */
const large = { message: 'x', metadata: {}, other: 'x'.repeat(2 * 1024 * 1024) };

/** Sends a request whose body takes longer than the service waits for it. */
async function sendSlowly(method: string, path: string): Promise<TestResponse> {
  const body = new ReadableStream({
    async start(controller) {
      // So much that the host itself does not find it too slow.
      controller.enqueue(Buffer.alloc(20_000, ' '));
      await scheduler.wait(24_000);
      controller.close();
    },
  });
  const received = await fetch(`${t.url}/api/${path}`, {
    method,
    headers: { Authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId] })}` },
    body,
    duplex: 'half',
    signal: AbortSignal.timeout(28_000),
  } as object);
  const text = await received.text();
  const response = { status: received.status, headers: received.headers, text, body: JSON.parse(text) };
  expect(deviations(method, path, response)).toEqual([]);
  return response;
}

/** A 400 for each query parameter. */
const waysOfQueries = (parameters: Operation['parameters']): Ways =>
  Object.fromEntries(
    parameters
      .filter((parameter) => parameter.in === 'query')
      .map(({ name }) => [
        `for an impossible ${name}`,
        async (send) => {
          const response = await send({ ids: await finishRun(), query: `?${name}=-` });
          expect(Object.keys(response.body.errors)).toEqual([
            name.replace(/^./, (first) => first.toUpperCase()),
          ]);
          return response;
        },
      ]),
  );

/** Answers of one operation; where one is here, those for all do not count. */
const ways: Readonly<Record<string, Readonly<Record<number, Ways>>>> = {
  createThread: {
    201: {
      'without a body': (send) => send({ body: '' }),
      'with a first message': (send) => send({ body: { ...question, metadata: { a: 'b' } } }),
      'with a new key, and the same again': async (send) => {
        const headers = { 'Idempotency-Key': `key-${Math.random()}` };
        await send({ headers });
        return send({ headers });
      },
    },
    400: {
      'for instructions without a message': (send) => send({ body: { instructions: 'x' } }),
      'without JSON': (send) => send({ body: 'x' }),
      'with an impossible key': (send) => send({ headers: { 'Idempotency-Key': 'a b' } }),
    },
    404: {
      'for an unknown file': (send) =>
        send({ body: { ...question, attachments: [{ fileId: unknownFile }] } }),
    },
    408: { 'for a body that is slow': () => sendSlowly('POST', `projects/${t.projectId}/threads`) },
    413: { 'for a body that is too large': (send) => send({ body: large }) },
    422: {
      'with the key of another body': async (send) => {
        const headers = { 'Idempotency-Key': `key-${Math.random()}` };
        await send({ headers });
        return send({ headers, body: { message: 'Another question' } });
      },
    },
  },
  listThreads: {
    200: {
      'with a busy and an idle thread': async (send) => {
        await startEndlessRun();
        await openThread();
        return send();
      },
      'page by page': async (send) => {
        await openThread();
        await openThread();
        const first = await send({ query: '?limit=1' });
        expect(first.body.hasMore).toBe(true);
        return send({ query: `?limit=1&after=${first.body.lastId}` });
      },
      'behind the last': (send) => send({ query: `?after=thread_${'z'.repeat(9)}${'f'.repeat(24)}` }),
    },
  },
  getThread: {
    200: {
      'with messages': async (send) => send({ ids: await finishRun() }),
      'with an active run': async (send) => send({ ids: await startEndlessRun() }),
      'without messages': async (send) => send({ ids: await openThread() }),
    },
    404: { 'for an unknown thread': (send) => send() },
  },
  deleteThread: {
    204: {
      'with a run': async (send) => send({ ids: await startEndlessRun() }),
      'for the second time': async (send) => {
        const ids = await finishRun();
        await send({ ids });
        return send({ ids });
      },
      'for a thread that never was': (send) => send(),
    },
    404: { 'for an impossible id': (send) => send({ ids: { ...unknownIds, threadId: 'nosuch' } }) },
  },
  createRun: {
    201: {
      'with instructions': async (send) =>
        send({ ids: await openThread(), body: { ...question, instructions: 'Be brief.' } }),
      'with a new key, and the same again': async (send) => {
        const sent = { ids: await openThread(), headers: { 'Idempotency-Key': 'k' } };
        await send(sent);
        return send(sent);
      },
    },
    400: {
      'without a message': async (send) => send({ ids: await openThread(), body: {} }),
      'without JSON': async (send) => send({ ids: await openThread(), body: 'x' }),
      'with an impossible key': async (send) =>
        send({ ids: await openThread(), headers: { 'Idempotency-Key': 'a b' } }),
    },
    404: {
      'for an unknown thread': (send) => send(),
      'for an unknown file': async (send) =>
        send({ ids: await openThread(), body: { ...question, attachments: [{ fileId: unknownFile }] } }),
    },
    408: { 'for a body that is slow': async () => sendSlowly('POST', `${pathOf(await openThread())}/runs`) },
    413: {
      'for a body that is too large': async (send) => send({ ids: await openThread(), body: large }),
    },
    409: {
      'on a busy thread': async (send) => send({ ids: await startEndlessRun() }),
      'on a thread that only the engine holds': async (send) => {
        const ids = await openThread();
        const locked = { kind: 'status', status: 400, code: 'conversation_locked' };
        await t.engine.fault({ method: 'POST', path: '/v1/responses' }, locked);
        return send({ ids });
      },
    },
    422: {
      'with the key of another body': async (send) => {
        const headers = { 'Idempotency-Key': 'k' };
        const ids = await startRun(undefined, headers);
        return send({ ids, headers, body: { message: 'Another question' } });
      },
    },
  },
  listRuns: {
    200: {
      'with a run of each end': async (send) => {
        const ids = await finishRun({ status: 'failed', code: 'server_error', message: 'x' });
        const post = (outcome: object) =>
          t.engine.outcome({ ...outcome }).then(() =>
            t.call(`projects/${t.projectId}/threads/${ids.threadId}/runs`, {
              method: 'POST',
              body: question,
            }),
          );
        await post({ status: 'never' });
        return send({ ids });
      },
      'of one status': async (send) => send({ ids: await finishRun(), query: '?status=completed&limit=1' }),
      'of none': async (send) => send({ ids: await openThread() }),
    },
    404: { 'for an unknown thread': (send) => send() },
  },
  getRun: {
    200: {
      unfinished: async (send) => send({ ids: await startEndlessRun() }),
      waiting: async (send) => send({ ids: idsOf(await startWaitingRun(t)) }),
      completed: async (send) => send({ ids: await finishRun() }),
      failed: async (send) =>
        send({ ids: await finishRun({ status: 'failed', code: 'server_error', message: 'x' }) }),
      'waited for': async (send) => send({ ids: await startRun(), query: '?wait=5' }),
      'waited for in vain': async (send) =>
        send({ ids: await startEndlessRun(), headers: { Prefer: 'wait=1' } }),
    },
    304: {
      'when nothing has changed': async (send) => {
        const ids = await finishRun();
        const { headers } = await send({ ids });
        return send({ ids, headers: { 'If-None-Match': headers.get('ETag') ?? '' } });
      },
    },
  },
  updateThread: {
    200: {
      'with new metadata': async (send) => send({ ids: await openThread() }),
      'without metadata': async (send) => send({ ids: await openThread(), body: { metadata: null } }),
    },
    400: { 'for a body without metadata': async (send) => send({ ids: await openThread(), body: {} }) },
    404: { 'for an unknown thread': (send) => send() },
    408: { 'for a body that is slow': async () => sendSlowly('PATCH', pathOf(await openThread())) },
    413: { 'for a body that is too large': async (send) => send({ ids: await openThread(), body: large }) },
  },
  updateRun: {
    200: {
      'while it runs': async (send) => send({ ids: await startEndlessRun() }),
      'when it has finished': async (send) => send({ ids: await finishRun() }),
    },
    400: { 'for a body without metadata': async (send) => send({ ids: await finishRun(), body: {} }) },
    408: { 'for a body that is slow': async () => sendSlowly('PATCH', runPathOf(await startRun())) },
    413: { 'for a body that is too large': async (send) => send({ ids: await startRun(), body: large }) },
  },
  cancelRun: {
    200: { 'while it runs': async (send) => send({ ids: await startEndlessRun() }) },
    409: { 'when it has finished': async (send) => send({ ids: await finishRun() }) },
  },
  submitToolOutputs: {
    200: {
      'with all outputs, and the same again': async (send) => {
        const sent = await startWaiting();
        await send(sent);
        return send(sent);
      },
      'with outputs that the engine refuses': async (send) => {
        const sent = await startWaiting();
        await t.engine.refuseCreate('azure_content_filter');
        return send(sent);
      },
    },
    400: {
      'without the outputs': async (send) => send({ ...(await startWaiting()), body: {} }),
      'without JSON': async (send) => send({ body: 'x' }),
    },
    404: {
      'for an unknown thread': (send) => send(),
      'for an unknown run': async (send) => send({ ids: await openThread() }),
    },
    408: {
      'for a body that is slow': async () => sendSlowly('POST', `${runPathOf(unknownIds)}/tool-outputs`),
    },
    409: {
      'for a run that waits for nothing': async (send) => send({ ids: await startEndlessRun(), body: {} }),
      'on a thread that the engine holds': async (send) => {
        const sent = await startWaiting();
        await refuseResponses({ status: 400, code: 'conversation_locked' });
        return send(sent);
      },
    },
    413: {
      'for a body that is too large': (send) => send({ body: { other: 'x'.repeat(7 * 1024 * 1024) } }),
    },
    429: {
      'at the limit of the engine': async (send) => {
        const sent = await startWaiting();
        await refuseResponses({ status: 429, code: 'x' });
        return send(sent);
      },
    },
  },
  listSteps: {
    200: {
      'of a finished run': async (send) => send({ ids: await finishRun() }),
      'of a run that has done nothing': async (send) => send({ ids: await startEndlessRun() }),
    },
    410: {
      'when the engine has forgotten the run': async (send) => {
        const ids = await finishRun();
        await t.engine.forget();
        return send({ ids });
      },
    },
  },
  streamRunEvents: {
    200: {
      'from its start to its end': async (send) => {
        await t.engine.timing({ queueMs: 50, runMs: 300 });
        const response = await send({ ids: await startRun() });
        const events = parseEvents(response.text).map(({ event }) => event);
        expect(new Set(events)).toEqual(
          new Set(['run', 'step', 'message.start', 'message.delta', 'message.end']),
        );
        return response;
      },
      'when it has finished': async (send) => send({ ids: await finishRun() }),
      'while it waits, until it is cancelled': async (send) => {
        const { run, ...waiting } = await startWaitingRun(t);
        const sending = send({ ids: idsOf({ run, ...waiting }) });
        await scheduler.wait(500);
        await t.call(`${run}/cancel`, { method: 'POST' });
        const response = await sending;
        expect(parseEvents(response.text).map(({ event }) => event)).toContain('run');
        return response;
      },
    },
    204: {
      'when nothing is left': async (send) => {
        const ids = await finishRun();
        const { text } = await send({ ids });
        return send({ ids, headers: { 'Last-Event-ID': parseEvents(text).at(-1)?.id ?? '' } });
      },
    },
    400: {
      'for a Last-Event-ID that is none': async (send) =>
        send({ ids: await finishRun(), headers: { 'Last-Event-ID': 'no such id' } }),
    },
  },
  uploadFile: {
    201: { plainly: (send) => send() },
    400: { 'for an empty file': (send) => send({ body: fileForm('a.txt', '') }) },
    408: {
      'for a file that stops arriving': async () =>
        stallUpload('files', await t.issuer.sign({ projects: [t.projectId] })),
    },
    413: {
      'for a file that is too large': (send) =>
        send({ body: fileForm('a.txt', 'x'.repeat(21 * 1024 * 1024)) }),
    },
    415: {
      'for a file of another type': (send) => send({ body: fileForm('a.exe', 'MZ') }),
      'for JSON': (send) => send({ body: question }),
    },
    429: { 'at the limit of the engine': (send) => atTheLimit(send) },
  },
  getFile: { ...waysOfFiles, 200: { plainly: async (send) => send({ ids: await uploadFile() }) } },
  getFileContent: {
    ...waysOfFiles,
    200: {
      'of text': async (send) => send({ ids: await uploadFile() }),
      'of an image': async (send) => send({ ids: await uploadFile('a.png', pixel) }),
    },
    409: {
      'for a file that the engine keeps': async (send) => {
        await t.engine.behaviour({ refuseDownloads: true });
        return send({ ids: await uploadFile() });
      },
    },
  },
  deleteFile: { ...waysOfFiles, 204: { plainly: async (send) => send({ ids: await uploadFile() }) } },
  getThreadFileContent: {
    200: { plainly: async (send) => send({ ids: await generateFile() }) },
    404: {
      'for an unknown thread': (send) => send(),
      'for an unknown file': async (send) => send({ ids: await openThread() }),
    },
    410: {
      'when its container has expired': async (send) => {
        const ids = await generateFile();
        await t.engine.expireContainers();
        return send({ ids });
      },
    },
    429: { 'at the limit of the engine': async (send) => atTheLimit(send, await generateFile()) },
  },
  addDocument: {
    ...waysOfDocuments,
    201: { plainly: async (send) => send({ token: await editor() }) },
    400: {
      'for an empty file': async (send) => send({ body: fileForm('a.txt', ''), token: await editor() }),
    },
    408: { 'for a file that stops arriving': async () => stallUpload('documents', await editor()) },
    413: {
      'for a file that is too large': async (send) =>
        send({ body: fileForm('a.txt', 'x'.repeat(21 * 1024 * 1024)), token: await editor() }),
    },
    415: {
      'for an image': async (send) => send({ body: fileForm('a.png', pixel), token: await editor() }),
    },
  },
  listDocuments: {
    ...waysOfDocuments,
    200: {
      'with a document': async (send) => {
        await addDocument();
        return send({ token: await editor() });
      },
      'page by page': async (send) => {
        await addDocument();
        await addDocument();
        const { body } = await send({ query: '?limit=1', token: await editor() });
        expect(body.hasMore).toBe(true);
        return send({ query: `?limit=1&after=${body.lastId}`, token: await editor() });
      },
    },
    400: {
      'for an impossible limit': async (send) => send({ query: '?limit=-', token: await editor() }),
      'for an impossible after': async (send) => send({ query: '?after=-', token: await editor() }),
      'for a document of no project': async (send) =>
        send({ query: `?after=doc_${'x'.repeat(40)}`, token: await editor() }),
    },
  },
  deleteDocument: {
    ...waysOfDocuments,
    204: { plainly: async (send) => send({ ids: await addDocument(), token: await editor() }) },
    404: {
      'for an unknown document': async (send) => send({ token: await editor() }),
      'for an impossible id': async (send) =>
        send({ ids: { ...unknownIds, documentId: 'x' }, token: await editor() }),
      'for the second time': async (send) => {
        const sent = { ids: await addDocument(), token: await editor() };
        await send(sent);
        return send(sent);
      },
    },
  },
  getOpenApi: {
    200: { 'without a token': (send) => send() },
    304: {
      'when nothing has changed': async (send) => {
        const { headers } = await send();
        return send({ headers: { 'If-None-Match': headers.get('ETag') ?? '' } });
      },
    },
  },
};

const waysTo = (operation: Operation, status: number): Ways => {
  const own = ways[operation.id]?.[status] ?? (status === 400 ? waysOfQueries(operation.parameters) : {});
  return Object.keys(own).length > 0 ? own : (waysOfAll[status] ?? {});
};

/** What an operation is expected to answer whether or not it says so. */
const expectedOf = ({ id, path, parameters, needsToken }: Operation): number[] => [
  ...Object.keys(ways[id] ?? {}).map(Number),
  ...(parameters.some((parameter) => parameter.in === 'query') ? [400] : []),
  ...(needsToken ? [401, 403, 503] : []),
  ...(path.includes('{threadId}') ? [404] : []),
  500,
];

/** Responses that slow clients get; the clients take their time together, before all tests. */
const slow = new Map<Ways[string], Promise<TestResponse>>();

beforeAll(async () => {
  for (const operation of operations) {
    for (const get of Object.values(waysTo(operation, 408))) slow.set(get, get(sender(operation), operation));
  }
  await Promise.allSettled(slow.values());
});

describe.each(operations.map((operation) => [operation.id, operation] as const))('%s', (_id, operation) => {
  const statuses = [...new Set([...operation.statuses, ...expectedOf(operation)])].sort();
  const responses = statuses.flatMap((status) =>
    Object.entries(waysTo(operation, status)).map(([way, get]) => ({ status, way, get })),
  );

  test.each(responses)('answers $status $way, as described', async ({ status, get }) => {
    const response = await (slow.get(get) ?? get(sender(operation), operation));
    expect(response.status).toBe(status);
  });

  test('describes the responses that it gives, and no others', () => {
    expect(operation.statuses).toEqual([...new Set(responses.map(({ status }) => status))]);
  });
});

describe('the document', () => {
  test('is served as it stands, as JSON, to be kept for five minutes', async () => {
    const { status, headers, body } = await t.call('openapi.json', { token: null });
    expect(status).toBe(200);
    expect(body).toEqual(document);
    expect(headers.get('Content-Type')).toMatch(/^application\/json(;|$)/);
    expect(headers.get('Cache-Control')).toBe('public, max-age=300');
  });

  test('has the version of the package', () => {
    expect(document.info.version).toBe(manifest.version);
  });

  // The contract of the Assistants API is that of the `openai` package.
  test('describes every function of the project API, by its name, method and path, and no other', async () => {
    const script = `
      import { loadApp } from './local/host/app.ts';
      import { registrations } from './local/host/functionsCore.ts';
      await loadApp('.');
      console.log(JSON.stringify(registrations.map(({ metadata }) => metadata)));
      process.exit();`;
    const args = ['--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: projectFolder });
    const registered = (JSON.parse(stdout) as Metadata[]).filter(({ name }) => name !== 'openai');
    const functions = registered.flatMap(({ name, bindings }) =>
      Object.values(bindings)
        .filter(({ type }) => type === 'httpTrigger')
        .flatMap(({ methods = [], route }) => methods.map((method) => `${name}: ${method} /${route}`)),
    );
    const described = operations.map(({ id, method, path }) => `${id}: ${method} ${path}`);
    expect(functions.toSorted()).toEqual(described.toSorted());
  });

  test.each<[string, unknown]>([
    ['a message', { message: 'x' }],
    ['no instructions, and more', { message: ' x ', instructions: null, other: 1 }],
    ['2,000 characters of instructions', { message: 'x', instructions: '😀'.repeat(2_000) }],
    ['2,001 characters of instructions', { message: 'x', instructions: 'x'.repeat(2_001) }],
    ['a blank message', { message: '\u3000\n' }],
    ['half a character', { message: '\ud83d' }],
    ['a number for a message', { message: 1 }],
    ['a number for instructions', { message: 'x', instructions: 1 }],
    ['metadata', { message: 'x', metadata: { ['😀'.repeat(64)]: '😀'.repeat(512) } }],
    ['no metadata', { message: 'x', metadata: null }],
    ['a number in metadata', { message: 'x', metadata: { k: 1 } }],
    ['no message', { instructions: 'x' }],
    ['an array', []],
    ['null', null],
  ])('takes and refuses the same bodies of a create as the service: %s', async (_name, body) => {
    const ajv = new Ajv2020({ formats: { 'well-formed': (text: string) => text.isWellFormed() } });
    ajv.addVocabulary(Object.keys(document));
    ajv.addSchema(document, 'openapi');
    const valid = ajv.validate('openapi#/components/schemas/CreateRunRequest', body);
    const { threadId } = await openThread();
    const path = `projects/${t.projectId}/threads/${threadId}/runs`;
    const { status } = await t.call(path, { method: 'POST', body });
    expect(status).toBe(valid ? 201 : 400);
  });
});

interface Metadata {
  readonly name: string;
  readonly bindings: Readonly<Record<string, { type: string; methods?: string[]; route?: string }>>;
}
