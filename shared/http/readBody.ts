import { IncomingMessage } from 'node:http';
import { AppError, fieldError } from '../errors.ts';

/** Largest request body, in bytes. `FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` has to be larger, or the host answers first. */
const maxBodyBytes = 2 * 1024 * 1024;

/** How long a body may take to arrive, in milliseconds. */
const bodyTimeoutMs = 15_000;

/**
 * Reads a request body as UTF-8 text, counting its bytes as they arrive.
 * @param body the request itself where HTTP streams: cancelling it as a web stream would close the connection, and the
 * response with it.
 * @param contentLength value of the `Content-Length` header.
 * @throws {AppError} payload_too_large beyond 2 MiB, request_timeout after 15 s, invalid_request when the body breaks off.
 */
export async function readBody(
  body: IncomingMessage | AsyncIterable<unknown> | null | undefined,
  contentLength: string | null,
): Promise<string> {
  if (Number(contentLength ?? 0) > maxBodyBytes) throw new AppError('payload_too_large');
  if (!body) return '';
  const bytes = body instanceof IncomingMessage ? await readIncoming(body) : await readWhole(body);
  return new TextDecoder().decode(bytes);
}

function readIncoming(incoming: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (settleWith: () => void) => {
      clearTimeout(timer);
      incoming.off('data', add).off('end', end).off('error', breakOff).off('close', breakOff);
      settleWith();
    };
    const fail = (error: AppError) =>
      settle(() => {
        chunks.length = 0;
        // Lets the rest pass unread; without a listener it would wait in the connection.
        incoming.resume();
        reject(error);
      });
    const add = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBodyBytes) fail(new AppError('payload_too_large'));
      else chunks.push(chunk);
    };
    const end = () => settle(() => resolve(Buffer.concat(chunks)));
    const breakOff = () => fail(fieldError('$', 'The request body ended before it was complete.'));
    const timer = setTimeout(() => fail(new AppError('request_timeout')), bodyTimeoutMs);
    if (incoming.destroyed) breakOff();
    else incoming.on('data', add).on('end', end).on('error', breakOff).on('close', breakOff);
  });
}

/** Without HTTP streaming the host has read the body already. */
async function readWhole(body: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) throw new AppError('payload_too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
