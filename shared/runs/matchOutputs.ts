import { AppError, type FieldErrors, fieldError } from '../errors.ts';
import {
  type CallOutput,
  openCallId,
  type PendingCall,
  sealCallId,
  type ToolOutputs,
} from '../model/toolCalls.ts';

interface Entry {
  /** Name of the field with the id, as in the API's 400 responses. */
  readonly field: string;
  /** Name of the id. */
  readonly name: 'toolCallId' | 'approvalId';
  /** The engine's id; undefined for an id that is not of the thread. */
  readonly callId: string | undefined;
  toOutput(callId: string): CallOutput;
}

/** Maximum size of all outputs of a submission together, in characters. */
const maxOutputCharacters = 512_000;

/** @throws {AppError} invalid_request for outputs that are too long together. */
export function checkSize({ toolOutputs }: ToolOutputs): void {
  const characters = toolOutputs.reduce((sum, { output }) => sum + countCharacters(output), 0);
  if (characters > maxOutputCharacters) {
    const limit = `outputs of at most ${maxOutputCharacters} characters together`;
    throw fieldError('ToolOutputs', `The field ToolOutputs must have ${limit}.`);
  }
}

/** Counts Unicode code points, as JSON Schema does. */
const countCharacters = (text: string): number =>
  text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);

/**
 * Matches outputs with the calls that a run waits for: exactly one for each.
 * @throws {AppError} invalid_request naming every unknown or doubled id and what is missing.
 */
export function matchOutputs(
  conversationId: string,
  pending: readonly PendingCall[],
  outputs: ToolOutputs,
): CallOutput[] {
  const errors: Record<string, string[]> = {};
  const matched = new Map<string, CallOutput>();
  for (const { field, name, callId, toOutput } of toEntries(conversationId, outputs)) {
    const kind = name === 'toolCallId' ? 'function' : 'approval';
    const isPending = pending.some((call) => call.kind === kind && call.callId === callId);
    if (callId === undefined || !isPending) {
      errors[field] = [`The field ${field} must be the ${name} of a call that the run waits for.`];
    } else if (matched.has(callId)) {
      errors[field] = [`The field ${field} must not repeat the ${name} of an earlier item.`];
    } else matched.set(callId, toOutput(callId));
  }
  const missing = pending.filter(({ callId }) => !matched.has(callId));
  Object.assign(errors, missingErrors(conversationId, missing));
  if (Object.keys(errors).length > 0) throw new AppError('invalid_request', { fieldErrors: errors });
  return [...matched.values()];
}

const toEntries = (conversationId: string, { toolOutputs, approvals }: ToolOutputs): Entry[] => [
  ...toolOutputs.map(
    ({ toolCallId, output }, index): Entry => ({
      field: `ToolOutputs[${index}].ToolCallId`,
      name: 'toolCallId',
      callId: openCallId(conversationId, 'function', toolCallId),
      toOutput: (callId) => ({ kind: 'function', callId, output }),
    }),
  ),
  ...approvals.map(
    ({ approvalId, approve, reason }, index): Entry => ({
      field: `Approvals[${index}].ApprovalId`,
      name: 'approvalId',
      callId: openCallId(conversationId, 'approval', approvalId),
      toOutput: (callId) => ({ kind: 'approval', callId, approve, ...(reason && { reason }) }),
    }),
  ),
];

function missingErrors(conversationId: string, missing: readonly PendingCall[]): FieldErrors {
  const list = (kind: PendingCall['kind']) =>
    missing.filter((call) => call.kind === kind).map((call) => sealCallId(conversationId, call));
  const [calls, approvals] = [list('function'), list('approval')];
  return {
    ...(calls.length > 0 && {
      ToolOutputs: [`The field ToolOutputs must have an output for each call. Missing: ${calls.join(', ')}.`],
    }),
    ...(approvals.length > 0 && {
      Approvals: [
        `The field Approvals must have a decision on each request. Missing: ${approvals.join(', ')}.`,
      ],
    }),
  };
}
