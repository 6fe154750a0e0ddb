import type { ApiRequest } from '../http/endpoint.ts';

/*
 * The routes below `projects/{projectId}/openai/v1` and, for `AzureOpenAI`, `projects/{projectId}/openai`. They are
 * matched here and not by the host, which tries overlapping routes such as `threads/runs` and `threads/{threadId}` in
 * no particular order.
 */

/** Method and path of each operation. Of two that match, the first one counts. */
const routes = {
  listAssistants: 'GET assistants',
  createAssistant: 'POST assistants',
  retrieveAssistant: 'GET assistants/{assistantId}',
  updateAssistant: 'POST assistants/{assistantId}',
  deleteAssistant: 'DELETE assistants/{assistantId}',
  createThreadAndRun: 'POST threads/runs',
  createThread: 'POST threads',
  retrieveThread: 'GET threads/{threadId}',
  updateThread: 'POST threads/{threadId}',
  deleteThread: 'DELETE threads/{threadId}',
  createMessage: 'POST threads/{threadId}/messages',
  listMessages: 'GET threads/{threadId}/messages',
  retrieveMessage: 'GET threads/{threadId}/messages/{messageId}',
  updateMessage: 'POST threads/{threadId}/messages/{messageId}',
  deleteMessage: 'DELETE threads/{threadId}/messages/{messageId}',
  createRun: 'POST threads/{threadId}/runs',
  listRuns: 'GET threads/{threadId}/runs',
  retrieveRun: 'GET threads/{threadId}/runs/{runId}',
  updateRun: 'POST threads/{threadId}/runs/{runId}',
  cancelRun: 'POST threads/{threadId}/runs/{runId}/cancel',
  listSteps: 'GET threads/{threadId}/runs/{runId}/steps',
  retrieveStep: 'GET threads/{threadId}/runs/{runId}/steps/{stepId}',
  submitToolOutputs: 'POST threads/{threadId}/runs/{runId}/submit_tool_outputs',
  createFile: 'POST files',
  listFiles: 'GET files',
  retrieveFile: 'GET files/{fileId}',
  deleteFile: 'DELETE files/{fileId}',
  retrieveFileContent: 'GET files/{fileId}/content',
  createVectorStore: 'POST vector_stores',
  listVectorStores: 'GET vector_stores',
  retrieveVectorStore: 'GET vector_stores/{vectorStoreId}',
  updateVectorStore: 'POST vector_stores/{vectorStoreId}',
  deleteVectorStore: 'DELETE vector_stores/{vectorStoreId}',
  searchVectorStore: 'POST vector_stores/{vectorStoreId}/search',
  createVectorStoreFile: 'POST vector_stores/{vectorStoreId}/files',
  listVectorStoreFiles: 'GET vector_stores/{vectorStoreId}/files',
  retrieveVectorStoreFile: 'GET vector_stores/{vectorStoreId}/files/{fileId}',
  updateVectorStoreFile: 'POST vector_stores/{vectorStoreId}/files/{fileId}',
  deleteVectorStoreFile: 'DELETE vector_stores/{vectorStoreId}/files/{fileId}',
  retrieveVectorStoreFileContent: 'GET vector_stores/{vectorStoreId}/files/{fileId}/content',
  createFileBatch: 'POST vector_stores/{vectorStoreId}/file_batches',
  retrieveFileBatch: 'GET vector_stores/{vectorStoreId}/file_batches/{batchId}',
  cancelFileBatch: 'POST vector_stores/{vectorStoreId}/file_batches/{batchId}/cancel',
  listFileBatchFiles: 'GET vector_stores/{vectorStoreId}/file_batches/{batchId}/files',
  listModels: 'GET models',
  retrieveModel: 'GET models/{model}',
} as const;

/** An operation of the Assistants API. */
export type Operation = keyof typeof routes;

/** Parameters in the path of an operation, decoded. */
export interface PathParams {
  readonly assistantId?: string;
  readonly threadId?: string;
  readonly messageId?: string;
  readonly runId?: string;
  readonly stepId?: string;
  readonly fileId?: string;
  readonly vectorStoreId?: string;
  readonly batchId?: string;
  readonly model?: string;
}

/** The operation that a request asks for. */
export interface Match {
  readonly operation: Operation;
  /** Its path, with its parameters in braces. */
  readonly route: string;
  readonly params: PathParams;
}

/** All operations, in the order in which they are tried. */
export const operations = (Object.entries(routes) as [Operation, string][]).map(([operation, route]) => {
  const [method = '', path = ''] = route.split(' ');
  return { operation, method, path, pattern: new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`) };
});

/** Returns the project's id and the path below the face, both as the client wrote them; undefined for another path. */
export function splitPath(url: string): { projectId: string; path: string } | undefined {
  const { pathname = '' } = URL.parse(url, 'http://host') ?? {};
  const match = /^(?:\/[^/]+)*?\/projects\/([^/]+)\/openai(?:\/v1(?=\/|$))?\/?(.*?)\/?$/i.exec(pathname);
  const projectId = match && decode(match[1] ?? '');
  return projectId ? { projectId, path: match[2] ?? '' } : undefined;
}

/** Finds the operation of a request; undefined if there is none. */
export function findRoute({ method, url }: Pick<ApiRequest, 'method' | 'url'>): Match | undefined {
  const path = splitPath(url)?.path ?? '';
  for (const route of operations) {
    const groups = route.method === method ? route.pattern.exec(path) : null;
    const entries = groups && Object.entries(groups.groups ?? {}).map(([name, id]) => [name, decode(id)]);
    if (entries?.every(([, id]) => id !== undefined)) {
      return { operation: route.operation, route: route.path, params: Object.fromEntries(entries) };
    }
  }
  return undefined;
}

/** Returns whether another method of the path is known. */
export const isKnownPath = (url: string): boolean => {
  const path = splitPath(url)?.path ?? '';
  return operations.some(({ pattern }) => pattern.test(path));
};

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
