import { useEffect, useState } from 'react';
import type { Client } from '../src/index.ts';

/** A file that can be shown. */
export interface FileUrl {
  /** Address of an image for `<img>`, or of any other file for `<a download>`; null until it is loaded. */
  readonly url: string | null;
  readonly mediaType: string | null;
  /** Why it cannot be loaded, such as an `ApiError` with the code `file_not_readable`. */
  readonly error: Error | null;
}

const nothing: FileUrl = { url: null, mediaType: null, error: null };

/** How images begin that cannot contain a script; `.` is any byte. */
const signatures: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG\r\n/, 'image/png'],
  [/^\xff\xd8\xff/, 'image/jpeg'],
  [/^GIF8/, 'image/gif'],
  [/^RIFF....WEBP/s, 'image/webp'],
];

/**
 * Loads a file that an `<img>` cannot, because its request has no token.
 * @param fileId of an attachment; null loads nothing.
 * @param threadId of the reply, for a `generated_file`.
 */
export function useFileUrl(client: Client, fileId: string | null, threadId?: string): FileUrl {
  const [loaded, setLoaded] = useState<FileUrl & { readonly fileId: string }>();
  useEffect(() => {
    if (fileId === null) return undefined;
    const leaving = new AbortController();
    let url: string | undefined;
    loadFile(client, fileId, threadId, leaving.signal).then(
      (blob) => {
        if (leaving.signal.aborted) return;
        url = URL.createObjectURL(blob);
        setLoaded({ fileId, url, mediaType: blob.type, error: null });
      },
      (error) => {
        if (!leaving.signal.aborted) setLoaded({ ...nothing, fileId, error });
      },
    );
    return () => {
      leaving.abort();
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [client, fileId, threadId]);
  return loaded?.fileId === fileId ? loaded : nothing;
}

/**
 * Reads a file. Only images get their type, by their content, because generated files come without: opened from this page's
 * origin, any other type could run as part of it.
 */
export async function loadFile(
  client: Client,
  fileId: string,
  threadId: string | undefined,
  signal: AbortSignal,
): Promise<Blob> {
  const blob = await (threadId === undefined
    ? client.files.content(fileId, { signal })
    : client.files.generatedContent(threadId, fileId, { signal }));
  const start = String.fromCharCode(...new Uint8Array(await blob.slice(0, 12).arrayBuffer()));
  const [, type = 'application/octet-stream'] = signatures.find(([pattern]) => pattern.test(start)) ?? [];
  return blob.slice(0, blob.size, type);
}
