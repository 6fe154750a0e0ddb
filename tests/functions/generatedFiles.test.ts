import { beforeEach, describe, expect, test } from '@jest/globals';
import { replies } from '../support/engine.ts';
import { fileForm, pixel } from '../support/form.ts';
import { idOf } from '../support/paths.ts';
import { useService } from '../support/useService.ts';

/* Files that a code interpreter makes. */

const t = useService();
beforeEach(() => t.changeProject());

/** Has a file made in a thread; returns its annotation. */
async function makeFile(thread: string) {
  await t.engine.outcome(replies.generatedFile('chart.png', pixel));
  const { run } = await t.startRun(thread);
  expect((await t.finish(run)).body.status).toBe('completed');
  const { content, annotations } = (await t.call(thread)).body.messages.at(-1);
  return { content, ...annotations[0] };
}

const read = (thread: string, fileId: string) => t.call(`${thread}/files/${fileId}/content`);

describe('a generated file', () => {
  test('is named where the reply links to it, and can be read', async () => {
    const thread = await t.openThread();
    const { content, type, fileId, filename, startIndex, endIndex } = await makeFile(thread);
    expect([type, filename]).toEqual(['generated_file', 'chart.png']);
    expect(fileId).toMatch(/^file_[\w-]+$/);
    expect(content.slice(startIndex, endIndex)).toBe('sandbox:/mnt/data/chart.png');
    const { url } = t;
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const response = await fetch(`${url}/api/${thread}/files/${fileId}/content`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(pixel);
    expect(response.headers.get('Content-Disposition')).toBe('attachment');
    expect((await read(thread, fileId)).status).toBe(200);
  });

  test('belongs to its thread only, and is no file of the project', async () => {
    const thread = await t.openThread();
    const { fileId } = await makeFile(thread);
    const { body } = await t.call(`projects/${t.projectId}/files`, {
      method: 'POST',
      body: fileForm('a.txt', 'Hello'),
    });
    const { projectId: other } = await t.addProject();
    for (const place of [
      `${await t.openThread()}/files/${fileId}/content`,
      `${await t.openThread(other)}/files/${fileId}/content`,
      `${thread}/files/${body.fileId}/content`,
      `projects/${t.projectId}/files/${fileId}/content`,
      `projects/${t.projectId}/files/${fileId}`,
    ]) {
      expect(await t.call(place)).toMatchObject({ status: 404, body: { code: 'file_not_found' } });
    }
    const foreign = await t.call(`projects/${other}/threads/${idOf(thread)}/files/${fileId}/content`);
    expect(foreign).toMatchObject({ status: 404, body: { code: 'thread_not_found' } });
    const attached = await t.createRun(await t.openThread(), { message: 'x', attachments: [{ fileId }] });
    expect([attached.status, attached.body.code]).toEqual([404, 'file_not_found']);
  });

  test('has expired once its container has', async () => {
    const thread = await t.openThread();
    const { fileId } = await makeFile(thread);
    await t.engine.expireContainers();
    expect(await read(thread, fileId)).toMatchObject({ status: 410, body: { code: 'file_expired' } });
  });

  test.each([
    [429, 429, 'rate_limited'],
    [500, 503, 'unavailable'],
    [400, 410, 'file_expired'],
    [401, 500, 'internal_error'],
  ])('that the engine answers with %i is %i %s', async (engineStatus, status, code) => {
    const thread = await t.openThread();
    const { fileId } = await makeFile(thread);
    await t.engine.fault({ method: 'GET', path: '/v1/containers' }, { kind: 'status', status: engineStatus });
    expect(await read(thread, fileId)).toMatchObject({ status, body: { code } });
    expect((await read(thread, fileId)).status).toBe(200);
  });
});
