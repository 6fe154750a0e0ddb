import { flag, list, object, optional, text } from './readers.ts';

const readCallId = text({ min: 1, max: 512 });

const readOutput = object({
  tool_call_id: readCallId,
  output: optional(text({ max: 512_000 })),
});

/** A decision on a call of an MCP server, in the words of Foundry's classic agents. */
const readApproval = object({
  tool_call_id: readCallId,
  approve: flag,
  // Those of a server are set by the operator.
  headers: optional(object({})),
});

/** The body of `submitToolOutputs`. */
export const readOutputsBody = object({
  tool_outputs: optional(list(readOutput, { max: 128 })),
  tool_approvals: optional(list(readApproval, { max: 128 })),
  stream: optional(flag),
});
