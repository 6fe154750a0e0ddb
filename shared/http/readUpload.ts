import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { AppError, fieldError } from '../errors.ts';
import type { FileContent, FormUpload } from '../model/file.ts';

/** How long a body may pause, in milliseconds. */
const stallMs = 15_000;

/** How long a body may take to arrive, in milliseconds. Azure's load balancer ends a request after 230 seconds. */
const bodyTimeoutMs = 200_000;

/** Bytes of a form around its file. */
const overheadBytes = 64 * 1024;

const limits = { fields: 8, fieldSize: 1024, files: 2, parts: 10, headerPairs: 20, headerSize: 8 * 1024 };

const incomplete = () => fieldError('$', 'The request body ended before it was complete.');

/**
 * Reads a body of the type `multipart/form-data` with one file in its field `file`. The content
 * arrives as fast as it is read, and ends normally only after the whole form has arrived and is well-formed.
 * @param incoming the Node request.
 * @param done aborts when the request has its response; the rest of the body is then discarded.
 * @throws {AppError} unsupported_media_type for another type of body, invalid_request for a form without a file,
 * file_too_large, request_timeout after 15 s of silence; the content throws these too.
 */
export async function readUpload(
  incoming: IncomingMessage,
  headers: Headers,
  maxBytes: number,
  done: AbortSignal,
): Promise<FormUpload> {
  const contentType = headers.get('Content-Type') ?? '';
  if (!/^multipart\/form-data\s*;/i.test(contentType)) throw new AppError('unsupported_media_type');
  if (Number(headers.get('Content-Length') ?? 0) > maxBytes + overheadBytes) {
    throw new AppError('file_too_large');
  }
  const { Busboy } = await import('@fastify/busboy');
  let form: InstanceType<typeof Busboy>;
  try {
    form = new Busboy({
      headers: { 'content-type': contentType },
      limits: { ...limits, fileSize: maxBytes },
    });
  } catch {
    throw fieldError('$', 'The request body must be a form with a boundary.');
  }
  const arrived = Promise.withResolvers<FormUpload>();
  const finished = Promise.withResolvers<void>();
  // Awaited only after the content.
  finished.promise.catch(() => undefined);
  let file: Readable | undefined;
  let ended = false;

  const stop = () => {
    ended = true;
    clearTimeout(stalled);
    clearTimeout(late);
    incoming.off('data', onData).off('error', onClose).off('close', onClose).unpipe(form);
    // Discard the rest; without a reader it would stall the connection.
    incoming.resume();
  };
  const fail = (error: AppError) => {
    if (ended) return;
    stop();
    arrived.reject(error);
    finished.reject(error);
    file?.destroy(error);
  };
  const onData = () => stalled.refresh();
  const onClose = () => {
    if (!incoming.readableEnded) fail(incomplete());
  };
  const stalled = setTimeout(() => {
    // A form that is not read does not arrive either.
    if (form.writableNeedDrain || incoming.readableEnded) stalled.refresh();
    else fail(new AppError('request_timeout'));
  }, stallMs);
  const late = setTimeout(() => fail(new AppError('request_timeout')), bodyTimeoutMs);

  const fields = new Map<string, string>();
  form.on('field', (field, value) => fields.set(field, value));
  form.on('file', (field, stream, name) => {
    // Whoever reads the content gets the error; nobody may.
    stream.on('error', () => undefined);
    if (field !== 'file' || file)
      return fail(fieldError('File', 'The form must have one file, in the field file.'));
    file = stream;
    stream.on('limit', () => fail(new AppError('file_too_large')));
    arrived.resolve({ name: name ?? '', content: contentOf(stream, finished.promise), fields });
  });
  form.on('finish', () => {
    if (!file) return fail(fieldError('File', 'The form must have one file, in the field file.'));
    stop();
    finished.resolve();
  });
  form.on('error', () => fail(fieldError('$', 'The request body must be a well-formed form.')));
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
    form.on(limit, () => fail(fieldError('$', 'The form has too many parts.')));
  }
  done.addEventListener('abort', () => fail(incomplete()));
  if (incoming.destroyed) onClose();
  else incoming.on('data', onData).on('error', onClose).on('close', onClose).pipe(form);
  return arrived.promise;
}

async function* contentOf(stream: Readable, finished: Promise<void>): FileContent {
  try {
    yield* stream as AsyncIterable<Uint8Array>;
  } catch (error) {
    // The parser's own error may come first; the form then fails as well.
    if (!(error instanceof AppError)) await finished;
    throw error;
  }
  await finished;
}
