import { beforeEach, describe, expect, test } from '@jest/globals';
import { fileForm, pixel } from '../support/form.ts';
import { aCall, answersTo, roundsOf, submit, waitForAction } from '../support/toolRounds.ts';
import { question, useService } from '../support/useService.ts';

/* Files that messages carry. */

const assistant = { id: 'asst_test', name: 'Test', model: 'gpt-5-mini', instructions: 'Help.' };
const coder = { ...assistant, id: 'asst_coder', tools: [{ type: 'code_interpreter' }] };
const t = useService({ ASSISTANTS: JSON.stringify([assistant, coder]) });

let thread: string;
beforeEach(async () => {
  await t.changeProject();
  thread = await t.openThread();
});

const upload = async (name: string, content: string | Uint8Array, projectId = t.projectId): Promise<string> =>
  (await t.call(`projects/${projectId}/files`, { method: 'POST', body: fileForm(name, content) })).body
    .fileId;

const withFiles = (...fileIds: string[]) => ({
  ...question,
  attachments: fileIds.map((fileId) => ({ fileId })),
});

test('a message shows the files that it carries, by their ids in the project', async () => {
  const image = await upload('a.png', pixel);
  const text = await upload('a.txt', 'Hello');
  const { run } = await t.startRun(thread, { body: withFiles(image, text) });
  expect((await t.finish(run)).body.status).toBe('completed');
  const { body } = await t.call(thread);
  expect(body.messages).toMatchObject([
    {
      content: question.message,
      attachments: [
        { fileId: image, type: 'image' },
        { fileId: text, type: 'file' },
      ],
    },
    { role: 'assistant', attachments: [] },
  ]);
  expect(body.messages[0].attachments.map(({ fileId }: { fileId: string }) => fileId)).toEqual([image, text]);
  expect(JSON.stringify(body)).not.toMatch(/file-\w/);
});

test.each([
  ['a text', 'file_x', ['Attachments']],
  ['an object without an id', [{}], ['Attachments[0].FileId']],
  [
    'an id that is none',
    [{ fileId: 'file-x' }, { fileId: 7 }],
    ['Attachments[0].FileId', 'Attachments[1].FileId'],
  ],
  [
    'more than ten',
    Array.from({ length: 11 }, (_, index) => ({ fileId: `file_${'x'.repeat(40)}${index}` })),
    ['Attachments'],
  ],
  ['the same twice', [1, 2].map(() => ({ fileId: `file_${'x'.repeat(40)}` })), ['Attachments']],
])('attachments may not be %s', async (_, attachments, fields) => {
  const { status, body } = await t.createRun(thread, { ...question, attachments });
  expect([status, Object.keys(body.errors)]).toEqual([400, fields]);
});

describe('files that are no images are in the container of a code interpreter', () => {
  /** Returns what the containers of a run's rounds hold. */
  const containersOf = async (run: string) => {
    const names = new Map((await t.engine.files()).map(({ id, filename }) => [id, filename]));
    return (await roundsOf(t, run)).map(({ tools }) => {
      const { container = {} } = tools.find(({ type }) => type === 'code_interpreter') ?? {};
      const { file_ids = [] } = container as { file_ids?: string[] };
      return file_ids.map((id) => names.get(id));
    });
  };

  test.each(['a run', 'a new thread'])('in all rounds of %s', async (what) => {
    const { projectId } = await t.addProject({ assistantId: 'asst_coder' });
    const [image, text] = [await upload('a.png', pixel, projectId), await upload('a.txt', 'Hi', projectId)];
    const threads = `projects/${projectId}/threads`;
    const body = withFiles(image, text);
    await t.engine.outcome(aCall);
    let run: string;
    if (what === 'a run') ({ run } = await t.startRun(await t.openThread(projectId), { body }));
    else {
      const { threadId, run: first } = (await t.call(threads, { method: 'POST', body })).body;
      run = `${threads}/${threadId}/runs/${first.runId}`;
    }
    await submit(t, run, answersTo(await waitForAction(t, run)));
    expect((await t.finish(run)).body.status).toBe('completed');
    expect(await containersOf(run)).toEqual([['a.txt'], ['a.txt']]);
  });
});

test('no attachments are none', async () => {
  for (const attachments of [null, []]) {
    const { run } = await t.startRun(undefined, { body: { ...question, attachments } });
    expect((await t.finish(run)).body.status).toBe('completed');
  }
});

test('the first message of a new thread carries files too, or there is no thread', async () => {
  const [image, foreign] = [await upload('a.png', pixel), `file_${'x'.repeat(60)}`];
  const threads = `projects/${t.projectId}/threads`;
  const created = await t.call(threads, { method: 'POST', body: withFiles(image) });
  const opened = `${threads}/${created.body.threadId}`;
  await t.finish(`${opened}/runs/${created.body.run.runId}`);
  expect((await t.call(opened)).body.messages[0].attachments).toEqual([{ fileId: image, type: 'image' }]);

  const before = (await t.call(threads)).body.threads;
  await t.engine.reset();
  const refused = await t.call(threads, { method: 'POST', body: withFiles(foreign) });
  expect([refused.status, refused.body.code]).toEqual([404, 'file_not_found']);
  expect(await t.engine.calls()).toEqual([]);
  expect((await t.call(threads)).body.threads).toEqual(before);
});

test('a file of another project, a deleted one and one that never was start nothing', async () => {
  const own = await upload('a.txt', 'Own');
  const { projectId: other } = await t.addProject();
  const foreign = await upload('a.txt', 'Foreign', other);
  const deleted = await upload('a.txt', 'Deleted');
  await t.call(`projects/${t.projectId}/files/${deleted}`, { method: 'DELETE' });
  await t.engine.reset();
  for (const bad of [foreign, deleted, `file_${'x'.repeat(60)}`]) {
    const { status, body } = await t.createRun(thread, withFiles(own, bad), { 'Idempotency-Key': 'k' });
    expect([status, body.code]).toEqual([404, 'file_not_found']);
  }
  expect(await t.engine.calls()).toEqual([]);
  // The thread and the key are free.
  expect((await t.createRun(thread, withFiles(own), { 'Idempotency-Key': 'k' })).status).toBe(201);
});

describe('an idempotency key', () => {
  const headers = { 'Idempotency-Key': 'k' };

  test('belongs to the files as well', async () => {
    const [one, two] = [await upload('1.txt', 'One'), await upload('2.txt', 'Two')];
    const { run } = await t.startRun(thread, { body: withFiles(one), headers });
    await t.finish(run);
    for (const body of [question, withFiles(two), withFiles(one, two)]) {
      expect((await t.createRun(thread, body, headers)).status).toBe(422);
    }
  });

  test('replays a create whose file has been deleted since', async () => {
    const file = await upload('a.txt', 'Hello');
    const { run, runId } = await t.startRun(thread, { body: withFiles(file), headers });
    await t.finish(run);
    await t.call(`projects/${t.projectId}/files/${file}`, { method: 'DELETE' });
    const again = await t.createRun(thread, withFiles(file), headers);
    expect([again.status, again.body.runId]).toEqual([201, runId]);
  });
});

test('a file that the engine does not have fails the create with its error, and frees thread and key', async () => {
  const file = await upload('a.txt', 'Hello');
  for (const [status, message] of [
    [400, 'No such File object: file-1'],
    [404, 'The file file-1 was not found'],
  ] as const) {
    await t.engine.fault(
      { method: 'POST', path: '/v1/responses', exact: true },
      { kind: 'status', status, message, type: 'invalid_request_error' },
    );
    const refused = await t.createRun(thread, withFiles(file), { 'Idempotency-Key': 'k' });
    expect([refused.status, refused.body.code]).toEqual([404, 'file_not_found']);
  }
  expect((await t.createRun(thread, withFiles(file), { 'Idempotency-Key': 'k' })).status).toBe(201);
});
