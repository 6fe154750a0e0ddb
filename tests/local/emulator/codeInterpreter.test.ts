import { describe, expect, test } from '@jest/globals';
import { toFile } from 'openai';
import type { Response, Tool } from 'openai/resources/responses/responses';
import { readImage } from '../../../local/emulator/images.ts';
import { collect, model, start, temporaryFolder, typesOf } from '../../support/emulator.ts';
import { replies } from '../../support/engine.ts';

type Started = Awaited<ReturnType<typeof start>>;

const interpreter: Tool = { type: 'code_interpreter', container: { type: 'auto' } };
const question = 'Draw a chart of 3, 5 and 10';

const ask = ({ client }: Started, input: string, more: object = {}): Promise<Response> =>
  client.responses.create({ model, input, tools: [interpreter], ...more });

function citationOf(response: Response) {
  const message = response.output.at(-1);
  const [part] = message?.type === 'message' ? message.content : [];
  const [citation] = part?.type === 'output_text' ? part.annotations : [];
  if (citation?.type !== 'container_file_citation') throw new Error('no citation');
  return citation;
}

const contentOf = async ({ client }: Started, response: Response) => {
  const { container_id, file_id } = citationOf(response);
  const content = await client.containers.files.content.retrieve(file_id, { container_id });
  return Buffer.from(await content.arrayBuffer());
};

describe('a chart', () => {
  test('is a picture in a container, cited by the reply', async () => {
    const started = await start();
    const response = await ask(started, question);
    const citation = citationOf(response);
    expect(response.output).toMatchObject([
      {
        id: expect.stringMatching(/^ci_/),
        type: 'code_interpreter_call',
        status: 'completed',
        code: expect.stringContaining('values = [3, 5, 10]'),
        container_id: citation.container_id,
        outputs: null,
      },
      { type: 'message' },
    ]);
    const { start_index, end_index } = citation;
    expect(response.output_text.slice(start_index, end_index)).toBe('sandbox:/mnt/data/chart.png');
    const png = await contentOf(started, response);
    expect(readImage(png)).toEqual({ mediaType: 'image/png', size: { width: 320, height: 200 } });
    const included = await started.client.responses.retrieve(response.id, {
      include: ['code_interpreter_call.outputs'],
    });
    expect(included.output[0]).toMatchObject({ outputs: [{ type: 'logs', logs: '18\n' }] });
    const { file_id, container_id } = citation;
    expect(await started.client.containers.files.retrieve(file_id, { container_id })).toMatchObject({
      object: 'container.file',
      bytes: png.length,
      path: '/mnt/data/chart.png',
      source: 'assistant',
    });
  });

  test('is made only on demand, with the tool', async () => {
    const started = await start();
    expect((await ask(started, 'Hello')).output.map(({ type }) => type)).toEqual(['message']);
    expect((await ask(started, question, { tools: [] })).output.map(({ type }) => type)).toEqual(['message']);
  });

  test('has the events of a real engine', async () => {
    const { client } = await start();
    const body = { model, input: question, tools: [interpreter], background: true, stream: true } as const;
    const events = await collect(await client.responses.create(body));
    expect(typesOf(events).slice(3)).toEqual([
      'response.output_item.added',
      'response.code_interpreter_call.in_progress',
      'response.code_interpreter_call_code.delta',
      'response.code_interpreter_call_code.done',
      'response.code_interpreter_call.interpreting',
      'response.code_interpreter_call.completed',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.annotation.added',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
  });
});

describe('a container', () => {
  test('is the same for a conversation, until it has expired', async () => {
    const started = await start();
    const { id: conversation } = await started.client.conversations.create();
    const first = await ask(started, question, { conversation });
    const second = await ask(started, question, { conversation });
    expect(citationOf(second).container_id).toBe(citationOf(first).container_id);
    await started.control('POST', 'expire-containers', { containerId: citationOf(first).container_id });
    await expect(contentOf(started, first)).rejects.toMatchObject({ status: 404 });
    const third = await ask(started, question, { conversation });
    expect(citationOf(third).container_id).not.toBe(citationOf(first).container_id);
    await contentOf(started, third);
    await started.control('POST', 'expire-containers', {});
    await expect(contentOf(started, third)).rejects.toMatchObject({ status: 404 });
  });

  test('gets the files of the request, and can be named', async () => {
    const started = await start();
    const { client } = started;
    const file = await client.files.create({
      file: await toFile(Buffer.from('a,b'), 'data.csv'),
      purpose: 'user_data',
    });
    const auto = { type: 'code_interpreter', container: { type: 'auto', file_ids: [file.id] } };
    const { container_id } = citationOf(await ask(started, question, { tools: [auto] }));
    const { data } = await client.containers.files.list(container_id, { order: 'asc' });
    expect(data.map(({ path, source }) => [path, source])).toEqual([
      ['/mnt/data/data.csv', 'user'],
      ['/mnt/data/chart.png', 'assistant'],
    ]);
    const { id } = await client.containers.create({ name: 'Mine' });
    const named = { type: 'code_interpreter', container: id };
    expect(citationOf(await ask(started, question, { tools: [named] })).container_id).toBe(id);
    await client.containers.delete(id);
    await expect(ask(started, question, { tools: [named] })).rejects.toMatchObject({
      status: 400,
      error: { message: 'Container is expired.' },
    });
    const missing = { type: 'code_interpreter', container: { type: 'auto', file_ids: ['file-none'] } };
    await expect(ask(started, question, { tools: [missing] })).rejects.toMatchObject({ status: 400 });
  });

  test('keeps its files over a restart', async () => {
    const dataDir = temporaryFolder();
    const first = await start({ dataDir });
    const response = await ask(first, question);
    const content = await contentOf(first, response);
    await first.emulator.close();
    expect((await contentOf(await start({ dataDir }), response)).equals(content)).toBe(true);
  });

  test('has the files that a test ordered', async () => {
    const started = await start();
    const outcome = replies.generatedFile('report.csv', Buffer.from('a,b\n'));
    await started.control('POST', 'outcomes', { outcome });
    const response = await ask(started, 'Hello');
    expect(citationOf(response)).toMatchObject({ filename: 'report.csv' });
    expect(String(await contentOf(started, response))).toBe('a,b\n');
  });
});
