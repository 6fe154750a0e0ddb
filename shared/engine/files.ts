import { AppError } from '../errors.ts';
import { type FileContent, isImage } from '../model/file.ts';
import type { ContainerFile } from '../model/message.ts';
import type { EngineClient } from './client.ts';
import { toAppError } from './engineErrors.ts';

/** A file to upload. */
export interface NewEngineFile {
  readonly name: string;
  readonly mediaType: string;
  /** Read once, as fast as the engine accepts it. Ends normally only if the file is complete and acceptable. */
  readonly content: FileContent;
}

/** What the engine tells about a file. */
export interface EngineFile {
  readonly name: string;
  readonly bytes: number;
  readonly createdAt: Date;
}

/** Content of a file, as the engine sends it. */
export interface EngineContent {
  readonly content: FileContent;
  readonly mediaType: string;
  /** Undefined when the engine does not tell. */
  readonly bytes: number | undefined;
}

/**
 * Client of the engine's files. Every call is sent once.
 * Throws an {@link AppError}: `rate_limited`, `unavailable`, `internal_error`, or `file_not_found` for an unknown file.
 */
export interface EngineFiles {
  /**
   * Uploads a file and returns its id. Content that fails aborts the request, so that the engine keeps nothing.
   * @throws what the content throws; also {@link AppError} unsupported_media_type or file_too_large, when the engine
   * refuses the file.
   */
  upload(file: NewEngineFile, use?: 'attachment' | 'document'): Promise<string>;
  find(engineFileId: string, timeoutMs: number): Promise<EngineFile>;
  remove(engineFileId: string, timeoutMs: number): Promise<void>;
  /**
   * Opens the content of a file.
   * @param signal closes it.
   * @throws {AppError} also file_not_readable, when the engine does not give out files like this one.
   */
  open(engineFileId: string, timeoutMs: number, signal: AbortSignal): Promise<EngineContent>;
  /**
   * Opens the content of a file in a container.
   * @param signal closes it.
   * @throws {AppError} file_expired when there is no such file, or no longer such a container.
   */
  openGenerated(file: ContainerFile, timeoutMs: number, signal: AbortSignal): Promise<EngineContent>;
  /** Describes a file in a container. @throws {AppError} as {@link openGenerated}. */
  findGenerated(file: ContainerFile, timeoutMs: number): Promise<EngineFile>;
  /** Removes a file from a container. @throws {AppError} as {@link openGenerated}. */
  removeGenerated(file: ContainerFile, timeoutMs: number): Promise<void>;
}

/** How long an upload may make no progress, in milliseconds. */
const idleMs = 30_000;

/** Upper bound of an upload, in milliseconds; only a limit to the client's own timer. */
const uploadMs = 600_000;

export function createEngineFiles({ open, call }: EngineClient): EngineFiles {
  return {
    async upload({ name, mediaType, content }, use = 'attachment') {
      const stop = new AbortController();
      const idle = setTimeout(() => stop.abort(), idleMs);
      let failure: unknown;
      const watched = async function* () {
        try {
          for await (const piece of content) {
            idle.refresh();
            yield piece;
          }
          idle.refresh();
        } catch (error) {
          failure = error;
          // A request that ended here in an orderly way would leave a part of the file in the engine.
          stop.abort();
          throw error;
        }
      };
      try {
        const [openai, { toStreamingFile }] = await Promise.all([open(), import('openai')]);
        const file = toStreamingFile(watched(), name, { type: mediaType });
        // Of the purposes for model input, engines give out the content of images only.
        const purpose = use === 'document' ? 'assistants' : isImage(mediaType) ? 'vision' : 'user_data';
        const options = { timeout: uploadMs, signal: stop.signal };
        return (await openai.files.create({ file, purpose }, options)).id;
      } catch (error) {
        throw failure ?? toUploadError(error);
      } finally {
        clearTimeout(idle);
      }
    },

    find: (id, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => {
          const { filename, bytes, created_at } = await openai.files.retrieve(id, options);
          return { name: filename, bytes, createdAt: new Date(created_at * 1000) };
        },
        'file_not_found',
      ),

    remove: (id, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => void (await openai.files.delete(id, options)),
        'file_not_found',
      ),

    async open(id, timeoutMs, signal) {
      try {
        return toContent(await (await open()).files.content(id, { timeout: timeoutMs, signal }));
      } catch (error) {
        if ((error as { status?: number }).status === 400) {
          throw new AppError('file_not_readable', { cause: error });
        }
        throw toAppError(error, 'file_not_found');
      }
    },

    async openGenerated({ containerId, fileId }, timeoutMs, signal) {
      try {
        const { content } = (await open()).containers.files;
        const params = { container_id: containerId };
        return toContent(await content.retrieve(fileId, params, { timeout: timeoutMs, signal }));
      } catch (error) {
        throw toGeneratedError(error);
      }
    },

    async findGenerated({ containerId, fileId }, timeoutMs) {
      try {
        const { files } = (await open()).containers;
        const params = { container_id: containerId };
        const { path, bytes, created_at } = await files.retrieve(fileId, params, { timeout: timeoutMs });
        const name = path.slice(path.lastIndexOf('/') + 1);
        return { name, bytes: bytes ?? 0, createdAt: new Date(created_at * 1000) };
      } catch (error) {
        throw toGeneratedError(error);
      }
    },

    async removeGenerated({ containerId, fileId }, timeoutMs) {
      try {
        const { files } = (await open()).containers;
        await files.delete(fileId, { container_id: containerId }, { timeout: timeoutMs });
      } catch (error) {
        throw toGeneratedError(error);
      }
    },
  };
}

/** Reads the response with the content of a file. */
function toContent({ body, headers }: Response): EngineContent {
  const length = headers.get('Content-Length');
  const encoded = headers.has('Content-Encoding');
  return {
    content: (body ?? new ReadableStream<Uint8Array>()) as ReadableStream<Uint8Array>,
    mediaType: headers.get('Content-Type')?.split(';')[0] || 'application/octet-stream',
    bytes: length !== null && /^\d+$/.test(length) && !encoded ? Number(length) : undefined,
  };
}

/** Of an expired container, engines say that it is not found or that it has expired. */
function toGeneratedError(error: unknown): AppError {
  const { status } = error as { status?: number };
  if (status === 400 || status === 404 || status === 410) {
    return new AppError('file_expired', { cause: error });
  }
  return toAppError(error);
}

function toUploadError(error: unknown): AppError {
  const { status } = error as { status?: number };
  if (status === 413) return new AppError('file_too_large', { cause: error });
  if (status === 400 || status === 415) return new AppError('unsupported_media_type', { cause: error });
  return toAppError(error);
}
