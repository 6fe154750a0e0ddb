import { describe, expect, test } from '@jest/globals';
import { toFile } from 'openai';
import type { ResponseInputContent } from 'openai/resources/responses/responses';
import { drawBars, readImage } from '../../../local/emulator/images.ts';
import { model, start } from '../../support/emulator.ts';
import type { EngineRun } from '../../support/engine.ts';

const png = drawBars([1, 2]);
const jpeg = Buffer.from('ffd8ffe000040000ffc0000b080010002003', 'hex');

async function ask(...parts: ((id: string) => ResponseInputContent)[]) {
  const started = await start();
  const { client } = started;
  const image = await client.files.create({ file: await toFile(png, 'a.png'), purpose: 'vision' });
  const content = parts.map((part) => part(image.id));
  const { id: conversation } = await client.conversations.create();
  const input = [{ role: 'user' as const, content }];
  const response = await client.responses.create({ model, input, conversation });
  const items = (await client.conversations.items.list(conversation, { order: 'asc' })).data;
  return { ...started, text: response.output_text, items, image };
}

const text = (): ResponseInputContent => ({ type: 'input_text', text: 'What is it?' });

describe('an image', () => {
  test('of a file is described by its format and size, and kept by the item', async () => {
    const {
      text: reply,
      items,
      image,
    } = await ask(text, (file_id) => ({
      type: 'input_image',
      file_id,
      detail: 'low',
    }));
    expect(reply).toContain(`You attached an image (image/png, 320 × 200 pixels, ${png.length} bytes).`);
    expect(items[0]).toMatchObject({
      content: [
        { type: 'input_text', text: 'What is it?' },
        { type: 'input_image', file_id: image.id, image_url: null, detail: 'low' },
      ],
    });
  });

  test.each([
    [`data:image/png;base64,${png.toString('base64')}`, 'image/png, 320 × 200 pixels'],
    [`data:image/jpeg;base64,${jpeg.toString('base64')}`, 'image/jpeg, 32 × 16 pixels'],
    ['https://example.com/a.png', 'the image at https://example.com/a.png'],
  ])('can be at %.40s', async (image_url, expected) => {
    const { text: reply, control } = await ask(text, () => ({
      type: 'input_image',
      image_url,
      detail: 'auto',
    }));
    expect(reply).toContain(expected);
    const [run] = await control<EngineRun[]>('GET', 'responses');
    expect(run?.input).toMatchObject([{ content: [{}, { image_url, detail: 'auto', file_id: null }] }]);
  });

  test.each([
    [{ type: 'input_image', file_id: 'file-none', detail: 'auto' }, 'No such File object: file-none'],
    [
      { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'auto' },
      'does not represent a valid image',
    ],
    [{ type: 'input_image', detail: 'auto' }, 'Missing required parameter'],
    [{ type: 'input_file' }, "Missing required parameter: 'input[0].content[0].file_id'."],
  ])('or file like %j is refused', async (part, message) => {
    await expect(ask(() => part as ResponseInputContent)).rejects.toMatchObject({
      status: 400,
      error: { message: expect.stringContaining(message) },
    });
  });

  test('is known by its first bytes', () => {
    expect(readImage(Buffer.from('GIF89a\x20\x00\x10\x00', 'latin1'))).toEqual({
      mediaType: 'image/gif',
      size: { width: 32, height: 16 },
    });
    expect(readImage(Buffer.from('RIFF0000WEBPVP8 '))).toEqual({ mediaType: 'image/webp', size: null });
    expect(readImage(Buffer.from('%PDF-1.7'))).toBeNull();
    expect(readImage(Buffer.from('\xff\xd8\xff\xe0', 'latin1'))).toEqual({
      mediaType: 'image/jpeg',
      size: null,
    });
  });
});

test('a file is named with its size', async () => {
  const { text: reply } = await ask(
    text,
    (file_id) => ({ type: 'input_file', file_id }),
    () => ({ type: 'input_file', filename: 'b.pdf', file_data: 'data:application/pdf;base64,AAAA' }),
  );
  expect(reply).toContain(`You attached the file \`a.png\` (${png.length} bytes) and the file \`b.pdf\`.`);
});
