import type { NewEngineFile } from '../engine/files.ts';
import { AppError, fieldError } from '../errors.ts';
import type { FileContent, Upload } from '../model/file.ts';
import { detectionBytes, detectMediaType } from '../model/mediaType.ts';

/** A file whose type is accepted, as far as its first bytes tell; the content checks the rest while it is read. */
export interface AcceptedFile extends NewEngineFile {
  /** Number of bytes read so far. */
  readonly bytes: () => number;
}

const maxNameLength = 255;

/**
 * Checks the name and the first bytes of a file. The content then fails with unsupported_media_type where text stops
 * being text.
 * @throws {AppError} invalid_request for a file without a name or content; unsupported_media_type.
 */
export async function acceptContent({ name, content }: Upload): Promise<AcceptedFile> {
  const safeName = toSafeName(name);
  const pieces = content[Symbol.asyncIterator]();
  const head = await readHead(pieces);
  if (head.length === 0) throw fieldError('File', 'The file must not be empty.');
  const type = detectMediaType(head, safeName);
  if (!type) throw new AppError('unsupported_media_type');
  let bytes = 0;
  const counted = async function* (): FileContent {
    try {
      for (let piece: Uint8Array = head; ; ) {
        bytes += piece.byteLength;
        yield piece;
        const next = await pieces.next();
        if (next.done) return;
        piece = next.value;
      }
    } finally {
      await pieces.return?.();
    }
  };
  const checked = type.isText ? textOnly(counted()) : counted();
  return { name: safeName, mediaType: type.mediaType, content: checked, bytes: () => bytes };
}

/**
 * Returns a name that travels safely in headers: control characters, quotation marks and backslashes become `_`, also
 * where a browser has escaped them (HTML, section 4.10.22.8).
 * @throws {AppError} invalid_request for an empty name or more than 255 characters.
 */
function toSafeName(name: string): string {
  const safe = name
    .toWellFormed()
    .replace(/%0D|%0A|%22|[\p{Cc}\u2028\u2029"\\/]/gu, '_')
    .trim();
  if (safe === '' || safe.length > maxNameLength) {
    throw fieldError('File', `The file must have a name of at most ${maxNameLength} characters.`);
  }
  return safe;
}

/** Reads until there are enough bytes to detect a type, or the content ends. */
async function readHead(pieces: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const head: Uint8Array[] = [];
  for (let length = 0; length < detectionBytes; ) {
    const { done, value } = await pieces.next();
    if (done) break;
    head.push(value);
    length += value.byteLength;
  }
  return Buffer.concat(head);
}

/** Passes content on as long as it is UTF-8 without NUL. */
async function* textOnly(content: FileContent): FileContent {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const check = (piece: Uint8Array | undefined) => {
    try {
      decoder.decode(piece, { stream: piece !== undefined });
    } catch (error) {
      throw new AppError('unsupported_media_type', { cause: error });
    }
    if (piece?.includes(0)) throw new AppError('unsupported_media_type');
  };
  for await (const piece of content) {
    check(piece);
    yield piece;
  }
  check(undefined);
}
