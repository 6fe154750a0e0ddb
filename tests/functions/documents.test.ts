import { beforeEach, describe, expect, test } from '@jest/globals';
import { fileForm } from '../support/form.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* A project's documents: who may change them, and who finds them. */

const t = useService();

let projectId: string;
let token: string;
beforeEach(async () => {
  projectId = (await t.addProject({ editors: ['ada'], assistantId: 'asst_second' })).projectId;
  token = await t.issuer.sign({ sub: 'ada', projects: [projectId] });
});

const add = (name: string, content: string, project = projectId) =>
  t.call(`projects/${project}/documents`, { method: 'POST', body: fileForm(name, content), token });

const list = async () => (await t.call(`projects/${projectId}/documents`, { token })).body.documents;

const whenReady = () =>
  until('all documents are ready', async () =>
    (await list()).every(({ status }: { status: string }) => status === 'ready'),
  );

/** Asks a question and returns the names of the documents that the reply quotes. */
async function quotedFor(message: string): Promise<string[]> {
  const thread = await t.openThread(projectId);
  const { run } = await t.startRun(thread, { body: { message } });
  expect((await t.finish(run)).body.status).toBe('completed');
  const { body } = await t.call(thread);
  return body.messages.at(-1).annotations.map(({ filename }: { filename: string }) => filename);
}

const storeCount = async () =>
  (await t.engine.calls()).filter((call) => call === 'POST /v1/vector_stores').length;

describe('a document', () => {
  test('is found by every run that starts once it is ready, and by none once it is deleted', async () => {
    expect(await list()).toEqual([]);
    expect(await quotedFor('How do quokkas sleep?')).toEqual([]);
    const added = await add('quokkas.md', '# Quokkas\n\nQuokkas sleep in the shade of prickly bushes.');
    expect(added).toMatchObject({
      status: 201,
      body: { projectId, name: 'quokkas.md', mediaType: 'text/markdown', bytes: 56, status: 'indexing' },
    });
    await whenReady();
    expect(await list()).toEqual([{ ...added.body, status: 'ready' }]);
    expect(await quotedFor('How do quokkas sleep?')).toContain('quokkas.md');
    const path = `projects/${projectId}/documents/${added.body.documentId}`;
    expect((await t.call(path, { method: 'DELETE', token })).status).toBe(204);
    expect((await t.call(path, { method: 'DELETE', token })).status).toBe(404);
    expect(await list()).toEqual([]);
    expect(await quotedFor('How do quokkas sleep?')).toEqual([]);
  });

  test('of another project does not exist, and its runs do not find it', async () => {
    const { body } = await add('secret.md', 'Wombats dig secret burrows.');
    await whenReady();
    const other = (await t.addProject({ editors: ['ada'], assistantId: 'asst_second' })).projectId;
    token = await t.issuer.sign({ sub: 'ada', projects: [projectId, other] });
    await add('own.md', 'Koalas climb.', other);
    const path = `projects/${other}/documents/${body.documentId}`;
    expect((await t.call(path, { method: 'DELETE', token })).status).toBe(404);
    const after = await t.call(`projects/${other}/documents?after=${body.documentId}`, { token });
    expect([after.status, Object.keys(after.body.errors)]).toEqual([400, ['After']]);
    expect(await list()).toHaveLength(1);
    projectId = other;
    await whenReady();
    expect(await quotedFor('Do wombats dig secret burrows?')).not.toContain('secret.md');
  });

  test('of a type that the engine cannot index is refused, and leaves nothing', async () => {
    const refused = await add('table.csv', 'a,b\n1,2');
    expect([refused.status, refused.body.code]).toEqual([415, 'unsupported_media_type']);
    expect(await list()).toEqual([]);
  });
});

test('a project has one vector store, even if its first documents come at once', async () => {
  await t.engine.reset();
  const responses = await Promise.all(['1', '2', '3'].map((name) => add(`${name}.md`, `Document ${name}`)));
  expect(responses.map(({ status }) => status)).toEqual([201, 201, 201]);
  expect(await list()).toHaveLength(3);
  const before = await storeCount();
  await add('4.md', 'Document 4');
  expect(await storeCount()).toBe(before);
  const removed = (await t.engine.calls()).filter((call) => /^DELETE \/v1\/vector_stores\/[^/]+$/.test(call));
  expect(removed).toHaveLength(before - 1);
});

test('only editors may add, list and delete documents', async () => {
  const { body } = await add('a.md', '# A');
  const groups = (await t.addProject({ editors: ['writers'] })).projectId;
  const writer = await t.issuer.sign({ sub: 'eve', projects: [groups], groups: ['writers'] });
  expect((await t.call(`projects/${groups}/documents`, { token: writer })).status).toBe(200);
  for (const [sub, projects, code] of [
    ['eve', [projectId], 'editor_required'],
    ['ada', [], 'access_denied'],
  ] as const) {
    const stranger = await t.issuer.sign({ sub, projects });
    const path = `projects/${projectId}/documents`;
    for (const call of [
      t.call(path, { token: stranger }),
      t.call(path, { method: 'POST', body: fileForm('b.md', '# B'), token: stranger }),
      t.call(`${path}/${body.documentId}`, { method: 'DELETE', token: stranger }),
    ]) {
      expect(await call).toMatchObject({ status: 403, body: { code } });
    }
  }
  expect(await list()).toHaveLength(1);
});

test.each([
  ['POST', '/v1/files'],
  ['POST', '/v1/vector_stores'],
  ['POST', '/v1/vector_stores/*/files'],
])(
  'a document that fails at %s %s leaves no file in the engine, and can be added again',
  async (method, path) => {
    const files = async () => {
      const response = await fetch(`${t.engine.url}/files`, { headers: { Authorization: 'Bearer test' } });
      return ((await response.json()) as { data: unknown[] }).data.length;
    };
    const before = await files();
    await t.engine.fault({ method, path, exact: true }, { kind: 'status', status: 500 });
    expect((await add('a.md', '# A')).status).toBe(503);
    expect([await files(), await list()]).toEqual([before, []]);
    expect((await add('a.md', '# A')).status).toBe(201);
    expect(await list()).toHaveLength(1);
  },
);
