import { scheduler } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { fileForm, pixel } from '../support/form.ts';
import { openSocket, requestText } from '../support/raw.ts';
import { rowsOf } from '../support/table.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Files of a project, from their upload to their deletion. */

const t = useService({ MAX_FILE_MB: '1' });
const mebibyte = 1024 * 1024;

let files: string;
beforeEach(async () => {
  await t.changeProject();
  files = `projects/${t.projectId}/files`;
});

const upload = (name: string, content: string | Uint8Array, to = files) =>
  t.call(to, { method: 'POST', body: fileForm(name, content) });

/** Ids of all files that the engine holds. */
async function engineFiles(): Promise<string[]> {
  const response = await fetch(`${t.engine.url}/files`, { headers: { Authorization: 'Bearer test' } });
  const { data } = (await response.json()) as { data: { id: string }[] };
  return data.map(({ id }) => id).sort();
}

/** Fails if the engine holds other files after `work` than before. */
async function leavesNothing(work: () => Promise<unknown>): Promise<void> {
  const before = await engineFiles();
  await work();
  await until('the engine holds nothing new', async () => (await engineFiles()).join() === before.join());
}

describe('an upload', () => {
  test('gives a file that can be read and deleted', async () => {
    const { status, body, headers } = await upload('C:\\Übersicht & "Ziele".md', '# Ziele\nMehr Tests.');
    expect([status, body]).toEqual([
      201,
      {
        fileId: expect.stringMatching(/^file_[\w-]{40,}$/),
        projectId: t.projectId,
        filename: 'Übersicht & _Ziele_.md',
        mediaType: 'text/markdown',
        bytes: 19,
        createdAt: expect.any(String),
      },
    ]);
    const path = `${files}/${body.fileId}`;
    expect(headers.get('Location')).toBe(`/api/${path}`);
    expect(await t.call(path)).toMatchObject({ status: 200, body });
    const content = await t.call(`${path}/content`);
    expect([content.status, content.text]).toEqual([200, '# Ziele\nMehr Tests.']);
    expect(Object.fromEntries(content.headers)).toMatchObject({
      'content-type': 'text/markdown',
      'content-length': '19',
      'content-disposition': "attachment; filename*=UTF-8''%C3%9Cbersicht%20%26%20_Ziele_.md",
      'x-content-type-options': 'nosniff',
    });
    expect((await t.call(path, { method: 'DELETE' })).status).toBe(204);
    for (const [method, place] of [
      ['GET', path],
      ['GET', `${path}/content`],
      ['DELETE', path],
    ] as const) {
      expect(await t.call(place, { method })).toMatchObject({
        status: 404,
        body: { code: 'file_not_found' },
      });
    }
    expect(await engineFiles()).not.toContain(body.fileId);
  });

  test.each([
    ['a.png', pixel, 'image/png'],
    ['photo.jpg', pixel, 'image/png'],
    ['a.pdf', '%PDF-1.7\n%\xe2', 'application/pdf'],
    ['a.csv', 'a,b\n1,2', 'text/csv'],
    ['Main.java', 'class Main {}', 'text/plain'],
    [
      'a.docx',
      `PK\x03\x04${'\0'.repeat(22)}\x13\0\0\0[Content_Types].xml`,
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ],
  ])('of %s is accepted with the type of its content', async (name, content, mediaType) => {
    const { status, body } = await upload(name, Buffer.from(content as string, 'latin1'));
    expect([status, body.mediaType]).toEqual([201, mediaType]);
  });

  test.each([
    ['a program named as a picture', 'a.png', 'MZ\x90\0'],
    ['a picture named as text', 'a.txt', pixel],
    ['text named as a picture', 'a.png', 'Hello'],
    ['a program', 'a.exe', 'MZ\x90\0'],
    ['an archive', 'a.zip', `PK\x03\x04${'\0'.repeat(22)}\x05\0\0\0a.txt`],
    ['an archive named as a document', 'a.docx', `PK\x03\x04${'\0'.repeat(22)}\x05\0\0\0a.txt`],
    ['text that is not UTF-8', 'a.txt', Buffer.from([0x41, 0xff])],
    [
      'text that is not UTF-8 far behind its start',
      'a.txt',
      Buffer.from(`${'x'.repeat(300_000)}\xff`, 'latin1'),
    ],
    ['text that ends within a character', 'a.txt', Buffer.from([0x41, 0xc3])],
    ['text with a NUL', 'a.txt', `${'x'.repeat(100_000)}\0`],
    ['a name without an extension', 'README', 'Hello'],
  ])('of %s is refused, and leaves nothing in the engine', async (_, name, content) => {
    await leavesNothing(async () => {
      const { status, body } = await upload(
        name,
        typeof content === 'string' ? Buffer.from(content, 'latin1') : content,
      );
      expect([status, body.code]).toEqual([415, 'unsupported_media_type']);
    });
  });

  test('is limited by MAX_FILE_MB, exactly', async () => {
    expect((await upload('a.txt', Buffer.alloc(mebibyte, 'x'))).body.bytes).toBe(mebibyte);
    await leavesNothing(async () => {
      for (const size of [mebibyte + 1, 3 * mebibyte]) {
        const { status, body } = await upload('a.txt', Buffer.alloc(size, 'x'));
        expect([status, body.code]).toEqual([413, 'file_too_large']);
      }
    });
  });

  test('must be a form with one named file that is not empty', async () => {
    const two = fileForm('a.txt', 'a');
    two.append('file', new File(['b'], 'b.txt'));
    const other = new FormData();
    other.set('document', new File(['a'], 'a.txt'));
    const long = fileForm(`${'x'.repeat(252)}.txt`, 'a');
    for (const body of [new FormData(), fileForm('a.txt', ''), two, other, long]) {
      await leavesNothing(async () => {
        const response = await t.call(files, { method: 'POST', body });
        expect([response.status, Object.keys(response.body.errors)]).toEqual([400, ['File']]);
      });
    }
    expect((await t.call(files, { method: 'POST', body: { file: 'a' } })).status).toBe(415);
    for (const [type, body] of [
      ['multipart/form-data; boundary=', 'x'],
      ['multipart/form-data; boundary=b', 'x'],
      ['multipart/form-data; boundary=b', formText('b', 'a.txt', 'Hello').slice(0, -8)],
    ] as const) {
      await leavesNothing(async () => {
        const response = await t.call(files, { method: 'POST', body, headers: { 'Content-Type': type } });
        expect([response.status, Object.keys(response.body.errors)]).toEqual([400, ['$']]);
      });
    }
  });

  test('whose client vanishes leaves nothing in the engine, whenever that is', async () => {
    const text = formText('b', 'a.txt', 'x'.repeat(200_000));
    await t.engine.fault({ method: 'POST', path: '/v1/files' }, { kind: 'delay', ms: 1_000 }, null);
    for (const sent of [text.length - 150_000, text.length - 5, text.length]) {
      const chunks = `${sent.toString(16)}\r\n${text.slice(0, sent)}\r\n${sent === text.length ? '0\r\n\r\n' : ''}`;
      await leavesNothing(async () => {
        const socket = await openSocket(
          t.url,
          requestText('POST', `/api/${files}`, {
            Authorization: `Bearer ${await t.issuer.sign({ projects: [t.projectId] })}`,
            'Content-Type': 'multipart/form-data; boundary=b',
            'Transfer-Encoding': 'chunked',
          }) + chunks,
        );
        await until('the upload is in progress', async () => (await t.hostStatus()).openInvocations > 0);
        await scheduler.wait(300);
        socket.destroy();
        await t.idle();
      });
    }
  });

  test('that the engine refuses or loses fails with its error, and leaves nothing', async () => {
    for (const [fault, status, code] of [
      [{ kind: 'status', status: 429 }, 429, 'rate_limited'],
      [{ kind: 'status', status: 500 }, 503, 'unavailable'],
      [{ kind: 'status', status: 401 }, 500, 'internal_error'],
      [{ kind: 'status', status: 400 }, 415, 'unsupported_media_type'],
      [{ kind: 'drop' }, 503, 'unavailable'],
    ] as const) {
      await leavesNothing(async () => {
        await t.engine.fault({ method: 'POST', path: '/v1/files' }, fault);
        const response = await upload('a.txt', Buffer.alloc(600_000, 'x'));
        expect([fault, response.status, response.body.code]).toEqual([fault, status, code]);
      });
    }
  });

  test('that cannot be recorded is removed from the engine', async () => {
    await upload('a.txt', 'First');
    await leavesNothing(async () => {
      t.store.inject('transaction', 'fail', 3);
      expect((await upload('a.txt', 'Hello')).status).toBe(503);
      t.store.reset();
    });
  });
});

const formText = (boundary: string, name: string, content: string) =>
  [
    `--${boundary}`,
    `Content-Disposition: form-data; name="file"; filename="${name}"`,
    'Content-Type: text/plain',
    '',
    content,
    `--${boundary}--`,
    '',
  ].join('\r\n');

describe('a file', () => {
  test('of another project does not exist, on any route', async () => {
    const { body } = await upload('a.txt', 'Secret');
    const { projectId: other } = await t.addProject();
    await upload('b.txt', 'Own', `projects/${other}/files`);
    const path = `projects/${other}/files/${body.fileId}`;
    for (const [method, place] of [
      ['GET', path],
      ['GET', `${path}/content`],
      ['DELETE', path],
    ] as const) {
      expect(await t.call(place, { method })).toMatchObject({
        status: 404,
        body: { code: 'file_not_found' },
      });
    }
    expect((await t.call(`${files}/${body.fileId}`)).status).toBe(200);
  });

  test('that the engine no longer has does not exist', async () => {
    const { body } = await upload('a.txt', 'Hello');
    for (const id of await engineFiles()) {
      await fetch(`${t.engine.url}/files/${id}`, {
        method: 'DELETE',
        headers: { Authorization: 'Bearer test' },
      });
    }
    const path = `${files}/${body.fileId}`;
    expect((await t.call(path)).status).toBe(404);
    expect((await t.call(`${path}/content`)).status).toBe(404);
    expect((await t.call(path, { method: 'DELETE' })).status).toBe(204);
    expect((await t.call(path, { method: 'DELETE' })).status).toBe(404);
  });

  test('whose content the engine does not give out can be described and deleted', async () => {
    await t.engine.behaviour({ refuseDownloads: true });
    const { body } = await upload('a.txt', 'Hello');
    const { body: image } = await upload('a.png', pixel);
    expect(await t.call(`${files}/${body.fileId}/content`)).toMatchObject({
      status: 409,
      body: { code: 'file_not_readable' },
    });
    expect((await t.call(`${files}/${image.fileId}/content`)).status).toBe(200);
    expect((await t.call(`${files}/${body.fileId}`)).status).toBe(200);
  });

  test('is neither named nor quoted in the log or the store', async () => {
    await upload('canary-name.txt', 'canary-content');
    await upload('canary-name.exe', 'canary-content');
    const rows = JSON.stringify(await rowsOf(t.projectId));
    expect(`${t.log()} ${rows}`).not.toContain('canary');
  });
});
