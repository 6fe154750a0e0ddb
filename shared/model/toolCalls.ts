import { createHmac } from 'node:crypto';
import { openId, sealId } from './sealedId.ts';

/** Names a call of a round: a function to be executed by the client, or a tool that waits for approval. */
export interface PendingCall {
  readonly kind: 'function' | 'approval';
  /** The engine's id. Never leaves the service. */
  readonly callId: string;
}

/** A call as the model made it. Read from the engine and never stored. */
export type ToolCall =
  | (PendingCall & { readonly kind: 'function'; readonly name: string; readonly arguments: string })
  | (PendingCall & {
      readonly kind: 'approval';
      readonly server: string;
      readonly tool: string;
      readonly arguments: string;
    });

/** What becomes of a call: a function's output, or the decision on an approval. */
export type CallOutput =
  | (PendingCall & { readonly kind: 'function'; readonly output: string })
  | (PendingCall & { readonly kind: 'approval'; readonly approve: boolean; readonly reason?: string });

/** What a waiting run waits for, with ids that are valid in its thread only. */
export interface RequiredAction {
  readonly toolCalls: readonly {
    readonly toolCallId: string;
    readonly name: string;
    /** JSON text, as the model wrote it. */
    readonly arguments: string;
  }[];
  readonly approvals: readonly {
    readonly approvalId: string;
    readonly server: string;
    readonly tool: string;
    /** JSON text, as the model wrote it. */
    readonly arguments: string;
  }[];
}

/** Outputs and approvals as a client submits them. Never stored. */
export interface ToolOutputs {
  readonly toolOutputs: readonly { readonly toolCallId: string; readonly output: string }[];
  readonly approvals: readonly {
    readonly approvalId: string;
    readonly approve: boolean;
    readonly reason?: string | null;
  }[];
}

const prefixes = { function: 'call', approval: 'appr' } as const;

/** Encrypts the engine's id of a call. */
export const sealCallId = (conversationId: string, { kind, callId }: PendingCall): string =>
  sealId(conversationId, prefixes[kind], callId);

/** Decrypts the id of a call. @returns the engine's id; undefined for an id not of this conversation. */
export const openCallId = (conversationId: string, kind: PendingCall['kind'], id: string) =>
  openId(conversationId, prefixes[kind], id);

/** Describes calls for the client. */
export function toRequiredAction(conversationId: string, calls: readonly ToolCall[]): RequiredAction {
  return {
    toolCalls: calls.flatMap((call) =>
      call.kind === 'function'
        ? { toolCallId: sealCallId(conversationId, call), name: call.name, arguments: call.arguments }
        : [],
    ),
    approvals: calls.flatMap((call) =>
      call.kind === 'approval'
        ? {
            approvalId: sealCallId(conversationId, call),
            server: call.server,
            tool: call.tool,
            arguments: call.arguments,
          }
        : [],
    ),
  };
}

/** Returns what is told to the model about a call that its client never answered. */
export const toUnanswered = ({ kind, callId }: PendingCall): CallOutput =>
  kind === 'function'
    ? { kind, callId, output: 'The call was not answered.' }
    : { kind, callId, approve: false, reason: 'The request was not answered.' };

/**
 * Returns a hash by which the same submission is recognized, in whatever order its entries are. Keyed with the
 * conversation's id, because a short output could be guessed from a plain hash.
 */
export function toSubmissionFingerprint(conversationId: string, outputs: ToolOutputs): string {
  const entries = [
    ...outputs.toolOutputs.map(({ toolCallId, output }) => [toolCallId, output]),
    ...outputs.approvals.map(({ approvalId, approve, reason }) => [approvalId, approve, reason ?? null]),
  ];
  return createHmac('sha256', conversationId)
    .update(JSON.stringify(entries.map((entry) => JSON.stringify(entry)).sort()))
    .digest()
    .subarray(0, 16)
    .toString('base64url');
}
