import { crc32, deflateSync } from 'node:zlib';

export interface ImageInfo {
  mediaType: string;
  /** In pixels; null if it is not read for this format. */
  size: { width: number; height: number } | null;
}

/** Detects an image of a format that models read, by its first bytes; null for anything else. */
export function readImage(content: Buffer): ImageInfo | null {
  const start = content.toString('latin1', 0, 12);
  if (start.startsWith('\x89PNG\r\n') && content.length >= 24) {
    return toInfo('image/png', content.readUInt32BE(16), content.readUInt32BE(20));
  }
  if (/^GIF8[79]a/.test(start) && content.length >= 10) {
    return toInfo('image/gif', content.readUInt16LE(6), content.readUInt16LE(8));
  }
  if (start.startsWith('\xff\xd8\xff')) return { mediaType: 'image/jpeg', size: readJpegSize(content) };
  if (/^RIFF....WEBP/s.test(start)) return { mediaType: 'image/webp', size: null };
  return null;
}

function toInfo(mediaType: string, width: number, height: number): ImageInfo {
  return { mediaType, size: { width, height } };
}

/** Reads the first frame header (SOF0 to SOF3). */
function readJpegSize(content: Buffer): ImageInfo['size'] {
  let offset = 2;
  while (offset + 9 < content.length && content[offset] === 0xff) {
    const marker = content[offset + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xc3)
      return { width: content.readUInt16BE(offset + 7), height: content.readUInt16BE(offset + 5) };
    offset += 2 + content.readUInt16BE(offset + 2);
  }
  return null;
}

const chart = { width: 320, height: 200, margin: 10 };
const palette = Buffer.from([255, 255, 255, 51, 102, 187, 90, 90, 90]);

/** Draws a bar chart as a PNG. */
export function drawBars(values: readonly number[]): Buffer {
  const { width, height, margin } = chart;
  const top = Math.max(1, ...values);
  const step = (width - 2 * margin) / Math.max(1, values.length);
  const colorAt = (x: number, y: number): number => {
    if (y === height - margin) return 2;
    const position = (x - margin) / step;
    const value = values[Math.floor(position)] ?? 0;
    const isBar = position >= 0 && position % 1 > 0.15 && y < height - margin;
    return isBar && height - margin - y <= (value / top) * (height - 2 * margin) ? 1 : 0;
  };
  // Each row begins with its filter: none.
  const rows = Array.from({ length: height }, (_, y) =>
    Buffer.from([0, ...Array.from({ length: width }, (__, x) => colorAt(x, y))]),
  );
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits a pixel, of a palette.
  header.set([8, 3, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    toChunk('IHDR', header),
    toChunk('PLTE', palette),
    toChunk('IDAT', deflateSync(Buffer.concat(rows))),
    toChunk('IEND', Buffer.alloc(0)),
  ]);
}

function toChunk(type: string, data: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(content.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  chunk.set(content, 4);
  chunk.writeUInt32BE(crc32(content), content.length + 4);
  return chunk;
}
