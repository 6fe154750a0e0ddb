import { AppError, hasCode } from '../errors.ts';
import { createVectorStore, deleteVectorStore, openVectorStore } from '../files/vectorStores.ts';
import type { Repeatable } from '../model/idempotencyKey.ts';
import {
  maxCodeFiles,
  maxNamedStores,
  type NamedVectorStore,
  type ToolResources,
} from '../model/toolResources.ts';
import type { Call } from './call.ts';
import { absent, readFileId } from './messageParams.ts';
import { list, object, optional, text } from './readers.ts';
import { readInlineVectorStore } from './vectorStoreParams.ts';
import { badRequest, WireError } from './wireError.ts';

const codeInterpreter = optional(object({ file_ids: optional(list(readFileId, { max: maxCodeFiles })) }));

const storeIds = optional(list(text({ min: 1, max: 512 }), { max: maxNamedStores }));

/**
 * Reads what tools use: files for code interpreters, vector stores for searches. What a project has, its documents among
 * it, is searched without being named.
 */
export const toolResources = optional(
  object({
    code_interpreter: codeInterpreter,
    file_search: optional(object({ vector_store_ids: storeIds, vector_stores: absent() })),
  }),
);

/** As {@link toolResources}, for what is created with them: a vector store may be created, too. */
export const newToolResources = optional(
  object({
    code_interpreter: codeInterpreter,
    file_search: optional(
      object({
        vector_store_ids: storeIds,
        vector_stores: optional(list(readInlineVectorStore, { max: maxNamedStores })),
      }),
    ),
  }),
);

/** Timeout of looking for a vector store, in milliseconds. */
const findMs = 10_000;

/**
 * Returns what resources name; what they do not say is absent. Does not look for files.
 * @param param name of the resources in the request.
 * @throws {WireError} 404 for a vector store that the project does not have; rate_limited, unavailable, internal_error.
 */
export async function openResources(
  call: Call,
  resources: ReturnType<typeof toolResources | typeof newToolResources>,
  param = 'tool_resources',
): Promise<ToolResources> {
  const codeFiles = resources?.code_interpreter?.file_ids;
  const stores = resources?.file_search?.vector_store_ids?.map((id) =>
    findVectorStore(call, id, `${param}.file_search.vector_store_ids`),
  );
  return {
    ...(codeFiles && { codeFiles }),
    ...(stores && { vectorStores: await Promise.all(stores) }),
  };
}

/**
 * Creates something with what resources name, and the vector store that they describe. That is deleted again if the create
 * is refused.
 * @param repeatable finds the vector store of an earlier attempt of the same request.
 * @param expiryDays of that vector store; by default it does not expire.
 * @throws {WireError} as {@link openResources}; 400 for a vector store that is named besides; file_not_found for a file of
 * it that the project does not have.
 */
export async function createWithResources<T>(
  call: Call,
  given: ReturnType<typeof newToolResources>,
  create: (resources: ToolResources) => Promise<T>,
  {
    param = 'tool_resources',
    repeatable,
    expiryDays,
  }: { param?: string; repeatable?: Repeatable; expiryDays?: number } = {},
): Promise<T> {
  const { context, project } = call;
  const { vector_store_ids: ids = [], vector_stores: [described] = [] } = given?.file_search ?? {};
  if (described && ids.length > 0) {
    const name = `${param}.file_search.vector_stores`;
    throw badRequest(`The parameter '${name}' cannot be used with 'vector_store_ids'.`, name);
  }
  const resources = await openResources(call, given, param);
  if (!described) return create(resources);
  const input = { ...described, expiryDays };
  const { vectorStoreId } = await createVectorStore(context, project.projectId, input, repeatable);
  const key = { projectId: project.projectId, vectorStoreId };
  const { storeId: engineStoreId } = await openVectorStore(context, key);
  try {
    return await create({ ...resources, vectorStores: [{ vectorStoreId, engineStoreId }] });
  } catch (error) {
    // Otherwise what names it may exist.
    const isRefused = error instanceof AppError && error.code !== 'unavailable';
    if (isRefused) await deleteVectorStore(context, key).catch(() => undefined);
    throw error;
  }
}

/** Finds a vector store that a program made. Its id proves that it is the project's, and the engine knows whether it exists. */
async function findVectorStore(
  { context, project: { projectId } }: Call,
  vectorStoreId: string,
  param: string,
): Promise<NamedVectorStore> {
  try {
    const { storeId } = await openVectorStore(context, { projectId, vectorStoreId });
    await context.engineVectorStores.find(storeId, context.deadline.remaining(findMs));
    return { vectorStoreId, engineStoreId: storeId };
  } catch (error) {
    if (!hasCode(error, 'vector_store_not_found')) throw error;
    throw new WireError(error.code, {
      message: `No vector store found with id '${vectorStoreId.slice(0, 512)}'.`,
      param,
    });
  }
}

/**
 * Returns what tools use as the Assistants API sends it, with an empty list for each tool that uses nothing: programs read
 * the lists of the tools that they have chosen without asking whether they are there.
 * @param tools types of the tools; a thread has none of its own.
 */
export const toWireResources = (
  { codeFiles = [], vectorStores = [] }: ToolResources,
  tools: readonly string[] = [],
) => ({
  ...((codeFiles.length > 0 || tools.includes('code_interpreter')) && {
    code_interpreter: { file_ids: [...codeFiles] },
  }),
  ...((vectorStores.length > 0 || tools.includes('file_search')) && {
    file_search: { vector_store_ids: vectorStores.map(({ vectorStoreId }) => vectorStoreId) },
  }),
});
