import type { IncomingMessage } from 'node:http';
import { AppError, fieldError } from '../errors.ts';

/**
 * Maximum size of a request body, in bytes, unless the route has another. `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` must be
 * larger than any, or the host rejects it.
 */
export const maxBodyBytes = 2 * 1024 * 1024;

/** How long a body may take to arrive, in milliseconds. */
const bodyTimeoutMs = 15_000;

/**
 * Reads a request body as UTF-8 text, enforcing the size limit while it arrives.
 * @param incoming the Node request, because cancelling its web stream would close the connection before the response is
 * sent.
 * @param contentLength value of the `Content-Length` header.
 * @throws {AppError} payload_too_large beyond `maxBytes`, request_timeout after 15 s, invalid_request when the body is
 * incomplete.
 */
export async function readBody(
  incoming: IncomingMessage,
  contentLength: string | null,
  maxBytes = maxBodyBytes,
): Promise<string> {
  if (Number(contentLength ?? 0) > maxBytes) throw tooLarge(maxBytes);
  return new TextDecoder().decode(await readBytes(incoming, maxBytes));
}

const tooLarge = (maxBytes: number) => new AppError('payload_too_large', { maxBytes });

function readBytes(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (complete: () => void) => {
      clearTimeout(timer);
      incoming.off('data', add).off('end', end).off('error', failIncomplete).off('close', failIncomplete);
      complete();
    };
    const fail = (error: AppError) =>
      finish(() => {
        chunks.length = 0;
        // Discard the rest; without a listener it would stall the connection.
        incoming.resume();
        reject(error);
      });
    const add = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) fail(tooLarge(maxBytes));
      else chunks.push(chunk);
    };
    const end = () => finish(() => resolve(Buffer.concat(chunks)));
    const failIncomplete = () => fail(fieldError('$', 'The request body ended before it was complete.'));
    const timer = setTimeout(() => fail(new AppError('request_timeout')), bodyTimeoutMs);
    if (incoming.destroyed) failIncomplete();
    else incoming.on('data', add).on('end', end).on('error', failIncomplete).on('close', failIncomplete);
  });
}
