import { maxCodeFiles } from '../model/thread.ts';
import { absent, readFileId, readMessage } from './messageParams.ts';
import { list, metadata, object, optional } from './readers.ts';

/** Why vector stores are refused, and what there is instead. */
export const noVectorStores =
  "are not offered: the project's documents, which its editors add by the project API, are searched without being named, " +
  'and files can be attached to messages';

const notOfThisService = absent(`is not supported, because vector stores ${noVectorStores}`);
const fileSearch = optional(object({ vector_store_ids: notOfThisService, vector_stores: notOfThisService }));

const codeInterpreter = optional(object({ file_ids: optional(list(readFileId, { max: maxCodeFiles })) }));

/**
 * Reads what tools use: files for code interpreters. The documents of a project are searched without being named.
 */
export const toolResources = optional(object({ code_interpreter: codeInterpreter, file_search: fileSearch }));

/** Returns the files that resources name for code interpreters; undefined if they do not say. */
export const codeFilesOf = (resources: ReturnType<typeof toolResources>): readonly string[] | undefined =>
  resources?.code_interpreter?.file_ids;

/** The body of `threads.create`. */
export const readThreadBody = object({
  messages: optional(list(readMessage, { max: 100 })),
  metadata: optional(metadata),
  tool_resources: toolResources,
});

/** Returns what a new thread begins with. */
export const toThreadInput = ({
  messages = [],
  metadata: labels = {},
  tool_resources,
}: Partial<ReturnType<typeof readThreadBody>>) => ({
  ...{ messages, metadata: labels },
  codeFiles: codeFilesOf(tool_resources) ?? [],
});
