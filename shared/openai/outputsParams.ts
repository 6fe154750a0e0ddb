import { flag, list, object, optional, text } from './readers.ts';

const readOutput = object({
  tool_call_id: text({ min: 1, max: 512 }),
  output: optional(text({ max: 512_000 })),
});

/** The body of `submitToolOutputs`. */
export const readOutputsBody = object({
  tool_outputs: list(readOutput, { max: 128 }),
  stream: optional(flag),
});
