import {
  createContainer,
  deleteContainer,
  deleteContainerFile,
  getContainer,
  getContainerFile,
  getContainerFileContent,
  listContainerFiles,
  listContainers,
} from './containerRoutes.ts';
import {
  createConversation,
  createItems,
  deleteConversation,
  deleteItem,
  getConversation,
  getItem,
  listItems,
  updateConversation,
} from './conversations.ts';
import type { Engine } from './engine.ts';
import { ApiError } from './errors.ts';
import { createFile, deleteFile, getFile, getFileContent, listFiles } from './fileRoutes.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import { cancelResponse, createResponse, deleteResponse, getResponse, listInputItems } from './responses.ts';
import {
  cancelBatch,
  createBatch,
  createStore,
  createStoreFile,
  deleteStore,
  deleteStoreFile,
  getBatch,
  getStore,
  getStoreFile,
  getStoreFileContent,
  listBatchFiles,
  listStoreFiles,
  listStores,
  updateStore,
  updateStoreFile,
} from './vectorStoreRoutes.ts';
import { searchStore } from './vectorStoreSearch.ts';

export type Handler = (engine: Engine, call: Call) => HandlerResult | Promise<HandlerResult>;

const routes: [method: string, path: string, handler: Handler][] = [
  ['POST', '/v1/responses', createResponse],
  ['GET', '/v1/responses/*', getResponse],
  ['DELETE', '/v1/responses/*', deleteResponse],
  ['POST', '/v1/responses/*/cancel', cancelResponse],
  ['GET', '/v1/responses/*/input_items', listInputItems],
  ['POST', '/v1/conversations', createConversation],
  ['GET', '/v1/conversations/*', getConversation],
  ['POST', '/v1/conversations/*', updateConversation],
  ['DELETE', '/v1/conversations/*', deleteConversation],
  ['POST', '/v1/conversations/*/items', createItems],
  ['GET', '/v1/conversations/*/items', listItems],
  ['GET', '/v1/conversations/*/items/*', getItem],
  ['DELETE', '/v1/conversations/*/items/*', deleteItem],
  ['POST', '/v1/files', createFile],
  ['GET', '/v1/files', listFiles],
  ['GET', '/v1/files/*', getFile],
  ['DELETE', '/v1/files/*', deleteFile],
  ['GET', '/v1/files/*/content', getFileContent],
  ['POST', '/v1/vector_stores', createStore],
  ['GET', '/v1/vector_stores', listStores],
  ['GET', '/v1/vector_stores/*', getStore],
  ['POST', '/v1/vector_stores/*', updateStore],
  ['DELETE', '/v1/vector_stores/*', deleteStore],
  ['POST', '/v1/vector_stores/*/search', searchStore],
  ['POST', '/v1/vector_stores/*/files', createStoreFile],
  ['GET', '/v1/vector_stores/*/files', listStoreFiles],
  ['GET', '/v1/vector_stores/*/files/*', getStoreFile],
  ['POST', '/v1/vector_stores/*/files/*', updateStoreFile],
  ['DELETE', '/v1/vector_stores/*/files/*', deleteStoreFile],
  ['GET', '/v1/vector_stores/*/files/*/content', getStoreFileContent],
  ['POST', '/v1/vector_stores/*/file_batches', createBatch],
  ['GET', '/v1/vector_stores/*/file_batches/*', getBatch],
  ['POST', '/v1/vector_stores/*/file_batches/*/cancel', cancelBatch],
  ['GET', '/v1/vector_stores/*/file_batches/*/files', listBatchFiles],
  ['POST', '/v1/containers', createContainer],
  ['GET', '/v1/containers', listContainers],
  ['GET', '/v1/containers/*', getContainer],
  ['DELETE', '/v1/containers/*', deleteContainer],
  ['GET', '/v1/containers/*/files', listContainerFiles],
  ['GET', '/v1/containers/*/files/*', getContainerFile],
  ['GET', '/v1/containers/*/files/*/content', getContainerFileContent],
  ['DELETE', '/v1/containers/*/files/*', deleteContainerFile],
  ['GET', '/v1/models', listModels],
];

const patterns = routes.map(([method, path, handler]) => {
  return { method, handler, pattern: new RegExp(`^${path.replaceAll('*', '([^/]+)')}$`) };
});

/** Finds the handler of a route and the ids in its path. @throws {ApiError} 404 for the path, 405 for the method. */
export function findRoute(method: string, path: string): { handler: Handler; ids: string[] } {
  const onPath = patterns.filter(({ pattern }) => pattern.test(path));
  if (onPath.length === 0) throw new ApiError(404, `Invalid URL (${method} ${path})`);
  const route = onPath.find((candidate) => candidate.method === method);
  if (!route)
    throw new ApiError(405, `Not allowed to ${method} on ${path}.`, { code: 'method_not_supported' });
  return { handler: route.handler, ids: (route.pattern.exec(path) ?? []).slice(1) };
}

function listModels(): HandlerResult {
  const toModel = (id: string) => ({ id, object: 'model', created: 1_744_317_547, owned_by: 'system' });
  return ok({ object: 'list', data: ['gpt-4.1', 'gpt-4.1-mini', 'gpt-5', 'gpt-5-mini'].map(toModel) });
}
