import type { ToolResources } from '../model/toolResources.ts';
import { absent, readMessage } from './messageParams.ts';
import { flag, list, metadata, number, object, oneOf, optional, type Reader, text } from './readers.ts';
import { readThreadBody } from './threadParams.ts';
import { readResponseFormat, readTool, readToolChoice } from './toolParams.ts';
import { toolResources } from './toolResources.ts';
import { notOffered } from './wireError.ts';

/** Maximum length of a run's own instructions, in characters; that of an assistant's. */
export const maxInstructionsLength = 32_768;

const truncates = 'the oldest messages of a thread that is too long for the model are left out';

const refuseLastMessages = absent(`is not supported: ${truncates}`);

/** Accepts the 0 that .NET's `RunTruncationStrategy.Auto` sends. */
const readLastMessages: Reader<undefined> = (value, param) =>
  value === 0 ? undefined : refuseLastMessages(value, param);

/** Accepts what the service does anyway: drops the oldest messages if a thread is too long for the model. */
const readTruncation: Reader<undefined> = (value, param) => {
  const { type } = object({
    type: oneOf('auto', 'last_messages'),
    last_messages: readLastMessages,
  })(value, param);
  if (type !== 'auto') throw notOffered(`${param}.type`, `must be 'auto': ${truncates}`);
  return undefined;
};

export const readEffort = oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh');

/** The parameters of a run that `runs.create` and `threads.createAndRun` share. */
const runShape = {
  assistant_id: optional(text({ min: 1, max: 64 })),
  instructions: optional(text({ max: maxInstructionsLength })),
  model: optional(text({ min: 1, max: 128 })),
  tools: optional(list(readTool, { max: 20 })),
  metadata: optional(metadata),
  temperature: optional(number({ min: 0, max: 2 })),
  top_p: optional(number({ min: 0, max: 1 })),
  max_completion_tokens: optional(number({ min: 16, max: 1_000_000, integer: true })),
  max_prompt_tokens: absent(`is not supported: ${truncates}, and 'max_completion_tokens' limits replies`),
  truncation_strategy: optional(readTruncation),
  response_format: optional(readResponseFormat),
  tool_choice: optional(readToolChoice),
  parallel_tool_calls: optional(flag),
  reasoning_effort: optional(readEffort),
  stream: optional(flag),
};

const addedShape = {
  additional_instructions: optional(text({ max: maxInstructionsLength })),
  additional_messages: optional(list(readMessage, { max: 20 })),
};

/** The body of `threads.createAndRun`. */
export const readThreadAndRunBody = object({
  ...runShape,
  thread: optional(readThreadBody),
  tool_resources: toolResources,
});

/** The body of `runs.create`. */
export const readRunBody = object({ ...runShape, ...addedShape });

type RunBody = ReturnType<typeof readRunBody>;

/** The parameters that both operations have. */
export type RunParams = Omit<RunBody, keyof typeof addedShape> &
  Partial<Pick<RunBody, keyof typeof addedShape>> & {
    /** What its tools use instead of the assistant's. */
    readonly resources?: ToolResources;
  };
