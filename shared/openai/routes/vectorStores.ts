import {
  createVectorStore as addVectorStore,
  searchVectorStore as find,
  listVectorStores as readPage,
  readVectorStore,
  deleteVectorStore as remove,
  updateVectorStore as update,
} from '../../files/vectorStores.ts';
import { jsonResponse } from '../../http/responses.ts';
import { readBody } from '../body.ts';
import { type Handler, ignoreDeleted, toRepeatable, vectorStoreKeyOf } from '../call.ts';
import { failCursor, onlyPage, parseList, rejectUnknown, toList } from '../query.ts';
import { toWireVectorStore } from '../vectorStoreObject.ts';
import { readNewVectorStore, readSearch, readVectorStoreChanges } from '../vectorStoreParams.ts';
import type { WireSearchResult, WireVectorStoreDeleted } from '../wire.ts';

/** Creates a vector store of the project. */
export const createVectorStore: Handler = async (call) => {
  rejectUnknown(call.request.query, []);
  const input = await readBody(call.request, readNewVectorStore);
  const { context, project } = call;
  const store = await addVectorStore(context, project.projectId, input, toRepeatable(call, input));
  return jsonResponse(200, toWireVectorStore(store));
};

/** Lists the vector stores of the project. */
export const listVectorStores: Handler = async ({ request, context, project }) => {
  const page = parseList(request);
  const { items, hasMore } = await readPage(context, project.projectId, page).catch(failCursor(page));
  return jsonResponse(200, toList(items.map(toWireVectorStore), hasMore));
};

/** Returns a vector store. */
export const retrieveVectorStore: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  rejectUnknown(call.request.query, []);
  return jsonResponse(200, toWireVectorStore(await readVectorStore(call.context, key)));
};

/** Changes the name, the metadata or the expiry of a vector store. */
export const updateVectorStore: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  rejectUnknown(call.request.query, []);
  const changes = await readBody(call.request, readVectorStoreChanges);
  return jsonResponse(200, toWireVectorStore(await update(call.context, key, changes)));
};

/** Deletes a vector store. Its files stay. */
export const deleteVectorStore: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  rejectUnknown(call.request.query, []);
  await remove(call.context, key).catch(ignoreDeleted(call));
  const body: WireVectorStoreDeleted = {
    id: key.vectorStoreId,
    object: 'vector_store.deleted',
    deleted: true,
  };
  return jsonResponse(200, body);
};

/** Searches a vector store. */
export const searchVectorStore: Handler = async (call) => {
  const key = vectorStoreKeyOf(call);
  rejectUnknown(call.request.query, []);
  const search = await readBody(call.request, readSearch);
  const { queries, results } = await find(call.context, key, search);
  const data = results.map(
    ({ fileId, name, score, attributes, texts }): WireSearchResult => ({
      file_id: fileId,
      filename: name,
      score,
      attributes,
      content: texts.map((text) => ({ type: 'text', text })),
    }),
  );
  return jsonResponse(200, {
    object: 'vector_store.search_results.page',
    search_query: queries,
    ...onlyPage(data),
  });
};
