import type { HttpResponseInit } from '@azure/functions';
import type { ProjectFile } from '../files/files.ts';
import type { FileContent, FileKey } from '../model/file.ts';
import type { RequestContext } from './endpoint.ts';

/** Returns a file for a response body. */
export const toFileBody = ({ fileId, projectId, name, mediaType, bytes, createdAt }: ProjectFile) => ({
  fileId,
  projectId,
  filename: name,
  mediaType,
  bytes,
  createdAt: createdAt.toISOString(),
});

/** Returns the path of a file. Ids consist of letters, digits, `_` and `-`, so no escaping is needed. */
export const fileLocation = ({ projectId, fileId }: FileKey): string =>
  `/api/projects/${projectId}/files/${fileId}`;

/** How long a download may take, in milliseconds. An invocation that never ends makes the host restart the worker. */
const downloadMs = 200_000;

/** Returns a signal that aborts when the client disconnects, or takes too long for a download. */
export const downloadSignal = ({ signal }: Pick<RequestContext, 'signal'>): AbortSignal =>
  AbortSignal.any([signal, AbortSignal.timeout(downloadMs)]);

/** The content of a file, to be sent. */
export interface Download {
  readonly content: FileContent;
  readonly mediaType: string;
  /** Undefined if unknown. */
  readonly bytes: number | undefined;
  /** Undefined if unknown. */
  readonly name?: string;
}

/**
 * Creates a response that streams a file as fast as the client reads it. Browsers save it and never show it: it is
 * what somebody uploaded, or a program wrote.
 * @param stop {@link downloadSignal}, which the content must obey too.
 */
export function fileResponse(
  stop: AbortSignal,
  outgoing: RequestContext['outgoing'],
  { content, mediaType, bytes, name }: Download,
): HttpResponseInit & { headers: Record<string, string> } {
  const pieces = content[Symbol.asyncIterator]();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await drained(outgoing, stop);
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await pieces.return?.()),
    },
    // Do not read ahead of the client.
    { highWaterMark: 0 },
  );
  return {
    status: 200,
    headers: {
      'Content-Type': mediaType,
      'Content-Disposition': toDisposition(name),
      ...(bytes !== undefined && { 'Content-Length': String(bytes) }),
      'Cache-Control': 'private, no-store',
      'Content-Security-Policy': "sandbox; default-src 'none'",
      'X-Content-Type-Options': 'nosniff',
    },
    body: body as unknown as HttpResponseInit['body'],
  };
}

/** Waits until the client has read what was sent. The library writes without waiting. */
async function drained(outgoing: RequestContext['outgoing'], stop: AbortSignal): Promise<void> {
  if (!outgoing.writableNeedDrain || stop.aborted) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      outgoing.off('drain', go);
      stop.removeEventListener('abort', go);
      resolve();
    };
    outgoing.on('drain', go);
    stop.addEventListener('abort', go);
  });
}

/** Returns `Content-Disposition` (RFC 6266) with the name in UTF-8 (RFC 8187). */
function toDisposition(name: string | undefined): string {
  if (name === undefined) return 'attachment';
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename*=UTF-8''${encoded}`;
}
