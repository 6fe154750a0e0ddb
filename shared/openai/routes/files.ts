import type { HttpResponseInit } from '@azure/functions';
import type { EngineFile } from '../../engine/files.ts';
import { AppError, hasCode } from '../../errors.ts';
import {
  findCitedFile,
  findFile,
  openFile,
  listFiles as readFiles,
  deleteFile as removeFile,
  uploadFile,
} from '../../files/files.ts';
import { downloadSignal, fileResponse } from '../../http/fileResponse.ts';
import { jsonResponse } from '../../http/responses.ts';
import { type FileKey, filePurposes } from '../../model/file.ts';
import { deleteThreadFile, findThreadFile, openThreadFile } from '../../threads/generatedFiles.ts';
import { type Call, type Handler, ignoreDeleted } from '../call.ts';
import { type NamedFile, readFileId } from '../fileId.ts';
import { toWireFile } from '../fileObject.ts';
import { failCursor, parseList, rejectUnknown, toList } from '../query.ts';
import { oneOf } from '../readers.ts';
import type { WireFileDeleted } from '../wire.ts';
import { badRequest, notOffered } from '../wireError.ts';

const readPurpose = oneOf(...filePurposes);

/** Uploads a file to the project. Passed on while it arrives; its purpose may come after it. */
export const createFile: Handler = async ({ request, context, project }) => {
  rejectUnknown(request.query, []);
  const upload = await request.upload(context.config.maxFileBytes);
  const purposeOf = () => {
    const other = [...upload.fields.keys()].find((name) => name !== 'purpose');
    if (other?.startsWith('expires_after')) {
      throw notOffered('expires_after', 'is not supported: delete the file when it is not needed any more');
    }
    if (other !== undefined) {
      throw badRequest(
        `Unknown parameter: '${other.slice(0, 64)}'.`,
        other.slice(0, 64),
        'unknown_parameter',
      );
    }
    return readPurpose(upload.fields.get('purpose'), 'purpose');
  };
  if (upload.fields.has('purpose')) purposeOf();
  const file = await uploadFile(context, project.projectId, upload, context.signal, purposeOf);
  return jsonResponse(200, toWireFile(file.fileId, file, file.purpose));
};

/** Maximum number of files of a page: the engine is asked for the name of each. */
const maxPage = 100;

/** Lists the files of the project. */
export const listFiles: Handler = async ({ request, context, project }) => {
  const page = parseList(request, ['purpose'], { fallback: maxPage, max: 10_000 });
  if (page.before !== undefined) throw notOffered('before');
  const purpose = request.query.get('purpose') ?? undefined;
  const { items, hasMore } = await readFiles(context, project.projectId, {
    ...{ order: page.order, after: page.after, limit: Math.min(page.limit, maxPage) },
    purpose: purpose === undefined ? undefined : readPurpose(purpose, 'purpose'),
  }).catch(failCursor(page));
  return jsonResponse(
    200,
    toList(
      items.map((file) => toWireFile(file.fileId, file, file.purpose)),
      hasMore,
    ),
  );
};

/** Returns a file: one of the project, one that a reply cites, or one that a code interpreter made. */
export const retrieveFile: Handler = async (call) => {
  rejectUnknown(call.request.query, []);
  const { context } = call;
  const [id, named] = fileOf(call);
  switch (named.kind) {
    case 'file':
      return withFile(
        call,
        named.fileId,
        async (fileKey) => {
          const file = await findFile(context, fileKey);
          return jsonResponse(200, toWireFile(id, file, file.purpose));
        },
        (cited) => jsonResponse(200, toWireFile(id, cited, 'assistants')),
      );
    case 'generated': {
      const file = await findThreadFile(context, threadFileOf(call, named)).catch(failThread);
      return jsonResponse(200, toWireFile(id, file, 'assistants_output'));
    }
  }
};

/** Returns the content of a file. */
export const retrieveFileContent: Handler = async (call): Promise<HttpResponseInit> => {
  rejectUnknown(call.request.query, []);
  const { context } = call;
  const [, named] = fileOf(call);
  const stop = downloadSignal(context);
  switch (named.kind) {
    case 'file':
      return withFile(
        call,
        named.fileId,
        async (fileKey) => fileResponse(stop, context.outgoing, await openFile(context, fileKey, stop)),
        () => {
          throw badRequest('Not allowed to download files of purpose: assistants');
        },
      );
    case 'generated': {
      const opened = await openThreadFile(context, threadFileOf(call, named), stop).catch(failThread);
      return fileResponse(stop, context.outgoing, opened);
    }
  }
};

/** Deletes a file. Messages that carry it stay. */
export const deleteFile: Handler = async (call) => {
  rejectUnknown(call.request.query, []);
  const [id, named] = fileOf(call);
  await remove(call, named).catch(ignoreDeleted(call));
  const body: WireFileDeleted = { id, object: 'file', deleted: true };
  return jsonResponse(200, body);
};

async function remove(call: Call, named: NamedFile): Promise<void> {
  const { context } = call;
  switch (named.kind) {
    case 'file':
      return withFile(
        call,
        named.fileId,
        (fileKey) => removeFile(context, fileKey),
        () => {
          throw badRequest('This file is none of those that were uploaded here.', 'file_id');
        },
      );
    case 'generated':
      return deleteThreadFile(context, threadFileOf(call, named)).catch(failThread);
  }
}

/**
 * Does something with a file of the project.
 * @param orCited what to do instead with a file that is none of the project's, but that a reply cites.
 */
async function withFile<T>(
  { context, project: { projectId } }: Call,
  fileId: string,
  act: (fileKey: FileKey) => Promise<T>,
  orCited: (file: EngineFile) => T,
): Promise<T> {
  try {
    return await act({ projectId, fileId });
  } catch (error) {
    if (!hasCode(error, 'file_not_found')) throw error;
    return orCited(await findCitedFile(context, projectId, fileId));
  }
}

/** Returns the id in the path and what it names. @throws {AppError} file_not_found for a malformed id. */
function fileOf({ params: { fileId = '' } }: Call): [id: string, file: NamedFile] {
  const named = readFileId(fileId);
  if (!named) throw new AppError('file_not_found');
  return [fileId, named];
}

function threadFileOf({ context, project }: Call, named: NamedFile & { kind: 'generated' }) {
  const { threadId, fileId } = named;
  context.note({ threadId });
  return { threadKey: { projectId: project.projectId, threadId }, fileId };
}

/** Without its thread, the file is not there either. */
function failThread(error: unknown): never {
  throw hasCode(error, 'thread_not_found') ? new AppError('file_not_found') : error;
}
