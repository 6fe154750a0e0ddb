import type { HttpResponseInit } from '@azure/functions';
import { authorizeProject } from '../auth/access.ts';
import type { ApiRequest, RequestContext, UploadRequest } from '../http/endpoint.ts';
import type { Call, Handler } from './call.ts';
import { findRoute, isKnownPath, type Operation, splitPath } from './router.ts';
import {
  createAssistant,
  deleteAssistant,
  listAssistants,
  retrieveAssistant,
  updateAssistant,
} from './routes/assistants.ts';
import { createFile, deleteFile, listFiles, retrieveFile, retrieveFileContent } from './routes/files.ts';
import {
  createMessage,
  deleteMessage,
  listMessages,
  retrieveMessage,
  updateMessage,
} from './routes/messages.ts';
import { listModels, retrieveModel } from './routes/models.ts';
import {
  cancelRun,
  createRun,
  createThreadAndRun,
  listRuns,
  retrieveRun,
  submitToolOutputs,
  updateRun,
} from './routes/runs.ts';
import { listSteps, retrieveStep } from './routes/steps.ts';
import { createThread, deleteThread, retrieveThread, updateThread } from './routes/threads.ts';
import {
  cancelFileBatch,
  createFileBatch,
  createVectorStoreFile,
  deleteVectorStoreFile,
  listFileBatchFiles,
  listVectorStoreFiles,
  retrieveFileBatch,
  retrieveVectorStoreFile,
  retrieveVectorStoreFileContent,
  updateVectorStoreFile,
} from './routes/vectorStoreFiles.ts';
import {
  createVectorStore,
  deleteVectorStore,
  listVectorStores,
  retrieveVectorStore,
  searchVectorStore,
  updateVectorStore,
} from './routes/vectorStores.ts';
import { WireError } from './wireError.ts';

export { toErrorResponse } from './errorResponse.ts';

const handlers: Readonly<Record<Operation, Handler>> = {
  listAssistants,
  createAssistant,
  retrieveAssistant,
  updateAssistant,
  deleteAssistant,
  createThread,
  createThreadAndRun,
  retrieveThread,
  updateThread,
  deleteThread,
  createMessage,
  listMessages,
  retrieveMessage,
  updateMessage,
  deleteMessage,
  createRun,
  listRuns,
  retrieveRun,
  updateRun,
  cancelRun,
  listSteps,
  retrieveStep,
  submitToolOutputs,
  createFile,
  listFiles,
  retrieveFile,
  deleteFile,
  retrieveFileContent,
  listModels,
  retrieveModel,
  createVectorStore,
  listVectorStores,
  retrieveVectorStore,
  updateVectorStore,
  deleteVectorStore,
  searchVectorStore,
  createVectorStoreFile,
  listVectorStoreFiles,
  retrieveVectorStoreFile,
  updateVectorStoreFile,
  deleteVectorStoreFile,
  retrieveVectorStoreFileContent,
  createFileBatch,
  retrieveFileBatch,
  cancelFileBatch,
  listFileBatchFiles,
};

/**
 * Serves a request of the Assistants API. The order of checks is that of the project API: token, project, ids, body,
 * thread, run.
 */
export async function serve(request: UploadRequest, context: RequestContext): Promise<HttpResponseInit> {
  const access = await authorizeProject(context, credentialsOf(request), splitPath(request.url)?.projectId);
  context.note({ projectId: access.project.projectId });
  const match = findRoute(request);
  if (!match) throw noRoute(request);
  // The host and its metrics know one function only.
  const { operation, route } = match;
  context.note({ operation, path: `/api/projects/{projectId}/openai/v1/${route}` });
  const call: Call = { request, context, params: match.params, ...access };
  return handlers[match.operation](call);
}

/** Returns the caller's token as an `Authorization` header. `AzureOpenAI` sends a key in `api-key`. */
function credentialsOf({ headers }: ApiRequest): string | null {
  const key = headers.get('api-key');
  return headers.get('Authorization') ?? (key === null ? null : `Bearer ${key}`);
}

function noRoute({ method, url }: ApiRequest): WireError {
  const path = `/v1/${splitPath(url)?.path.slice(0, 200) ?? ''}`;
  return isKnownPath(url)
    ? new WireError('invalid_request', {
        status: 405,
        code: 'method_not_supported',
        message: `Not allowed to ${method} on ${path}.`,
      })
    : new WireError('invalid_request', {
        status: 404,
        code: 'unknown_url',
        message: [`Invalid URL (${method} ${path})`, ...insteadOf(url)].join('. '),
      });
}

/** Lists of files of version 1, for which old programs ask. */
const filesOfVersion1 = /^(assistants|threads\/[^/]+\/messages)\/[^/]+\/files(\/|$)/;

/** Returns what to do instead, as a sentence. */
const insteadOf = (url: string): string[] =>
  filesOfVersion1.test(splitPath(url)?.path ?? '')
    ? [
        "Lists of files are of version 1 of the API: use 'tool_resources' of assistants and 'attachments' of messages.",
      ]
    : [];
