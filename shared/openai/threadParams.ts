import { absent, readMessage } from './messageParams.ts';
import { list, metadata, object, optional } from './readers.ts';

/** Accepts empty tool resources: the documents of a project are searched by its assistant without being named. */
export const toolResources = optional(
  object({
    code_interpreter: optional(object({ file_ids: absent() })),
    file_search: optional(object({ vector_store_ids: absent(), vector_stores: absent() })),
  }),
);

/** The body of `threads.create`. */
export const readThreadBody = object({
  messages: optional(list(readMessage, { max: 100 })),
  metadata: optional(metadata),
  tool_resources: toolResources,
});
