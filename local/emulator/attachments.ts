import type { Engine } from './engine.ts';
import { contentOf, findFile } from './files.ts';
import { type ImageInfo, readImage } from './images.ts';
import type { Item, JsonObject } from './types.ts';

/** Returns the parts of messages that are images or files. */
export function attachmentsOf(items: readonly Item[]): JsonObject[] {
  return items
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .filter(({ type }) => type === 'input_image' || type === 'input_file')
    .map((part) => part as unknown as JsonObject);
}

/** Says what the images and files of the input are; empty without any. */
export function describeAttachments(engine: Engine, input: readonly Item[]): string {
  const described = attachmentsOf(input).map((part) =>
    part['type'] === 'input_image' ? describeImage(engine, part) : describeFile(engine, part),
  );
  return described.length === 0 ? '' : `You attached ${described.join(' and ')}. `;
}

/** Returns the format of an attached image; null if it is none, undefined for one at an address of the web. */
export function imageOf(engine: Engine, part: JsonObject): ImageInfo | null | undefined {
  const content = imageContent(engine, part);
  return content && readImage(content);
}

function imageContent(engine: Engine, { file_id: id, image_url: url }: JsonObject): Buffer | undefined {
  if (typeof id === 'string') return contentOf(engine, id);
  const data = /^data:[^,]*;base64,(.*)$/s.exec(String(url))?.[1];
  return data === undefined ? undefined : Buffer.from(data, 'base64');
}

function describeImage(engine: Engine, part: JsonObject): string {
  const image = imageOf(engine, part);
  if (!image) return `the image at ${String(part['image_url'])}`;
  const { mediaType, size } = image;
  const pixels = size ? `${size.width} × ${size.height} pixels, ` : '';
  return `an image (${mediaType}, ${pixels}${imageContent(engine, part)?.length} bytes)`;
}

function describeFile(engine: Engine, { file_id: id, filename, file_url: url }: JsonObject): string {
  if (typeof id !== 'string') return `the file \`${String(filename ?? url)}\``;
  const file = findFile(engine, id);
  return `the file \`${file.filename}\` (${file.bytes} bytes)`;
}
