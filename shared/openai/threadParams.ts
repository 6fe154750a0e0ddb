import type { ToolResources } from '../model/toolResources.ts';
import { readMessage } from './messageParams.ts';
import { list, metadata, object, optional } from './readers.ts';
import { newToolResources } from './toolResources.ts';

/** The body of `threads.create`. */
export const readThreadBody = object({
  messages: optional(list(readMessage, { max: 100 })),
  metadata: optional(metadata),
  tool_resources: newToolResources,
});

/** Returns what a new thread begins with. */
export const toThreadInput = (
  { messages = [], metadata: labels = {} }: Partial<ReturnType<typeof readThreadBody>>,
  resources: ToolResources,
) => ({ messages, metadata: labels, ...resources });
