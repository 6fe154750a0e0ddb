import { sealFileId } from './fileId.ts';
import { type Annotation, type ContainerFile, sealGeneratedFile } from './message.ts';
import { sealId } from './sealedId.ts';
import { sealCallId } from './toolCalls.ts';

/** State of a step in the engine. */
export type StepStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed';

/** What a step does. Read from the engine and never stored. */
export type StepDetails =
  /** Writes a message. */
  | { readonly type: 'message'; readonly commentary: boolean }
  /** Searches documents. `files` is empty unless the search results were requested. */
  | {
      readonly type: 'file_search';
      readonly queries: readonly string[];
      readonly files: readonly { readonly filename: string; readonly score: number | null }[];
    }
  | { readonly type: 'web_search'; readonly queries: readonly string[]; readonly urls: readonly string[] }
  | {
      readonly type: 'code_interpreter';
      readonly code: string;
      readonly outputs: readonly (
        | { readonly type: 'logs'; readonly logs: string }
        | { readonly type: 'image' }
      )[];
    }
  | { readonly type: 'function'; readonly name: string; readonly arguments: string }
  /** Asks for approval of a call of an MCP server. */
  | {
      readonly type: 'mcp_approval';
      readonly server: string;
      readonly tool: string;
      readonly arguments: string;
    }
  | {
      readonly type: 'mcp_call';
      readonly server: string;
      readonly tool: string;
      readonly arguments: string;
      readonly output: string | null;
    }
  /** Lists the tools of an MCP server. */
  | { readonly type: 'mcp_list_tools'; readonly server: string; readonly tools: readonly string[] };

/** A step as the engine reports it. */
export interface EngineStep {
  /** The engine's id. */
  readonly itemId: string;
  /** The engine's id of a call that a client answers, if it is one. */
  readonly callId?: string;
  readonly status: StepStatus;
  readonly details: StepDetails;
  /** What a step names by the engine's ids, which its details leave out. */
  readonly named?: NamedByStep;
}

/** What a step names. The ids are the engine's. */
export interface NamedByStep {
  /** Of a message; empty until it is finished. */
  readonly annotations?: readonly Annotation<ContainerFile>[];
  /** Of a search: each file found, and the text found. */
  readonly found?: readonly { readonly fileId: string; readonly text: string }[];
  /** Of a code interpreter: the file of each image; undefined for one that is no file of a container. */
  readonly images?: readonly (ContainerFile | undefined)[];
}

/** The steps of a round, with its times: the engine has none of single steps. */
export interface EngineRound {
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  readonly steps: readonly EngineStep[];
}

/** A step as clients see it, with ids that are valid in its thread only. */
export type Step = {
  readonly stepId: string;
  readonly status: StepStatus;
  readonly messageId?: string;
  readonly toolCallId?: string;
  readonly approvalId?: string;
} & StepDetails;

/** Replaces the engine's ids in what a step names. @param projectSecret without it, files found have no ids. */
export const sealNamed = (
  { found = [], images = [] }: NamedByStep,
  conversationId: string,
  projectSecret: string | undefined,
): SealedByStep => ({
  found: found.map(({ fileId, text }) => ({
    fileId: projectSecret === undefined ? '' : sealFileId(projectSecret, fileId),
    text,
  })),
  images: images.map((file) => file && sealGeneratedFile(conversationId, file)),
});

/** What a step names, as clients may see it: the files found and its images, in the order of its details. */
export interface SealedByStep {
  readonly found: readonly { readonly fileId: string; readonly text: string }[];
  readonly images: readonly (string | undefined)[];
}

/** Replaces the engine's ids of a step. */
export function toStep(
  conversationId: string,
  { itemId, callId = itemId, status, details }: EngineStep,
): Step {
  const { type } = details;
  return {
    stepId: sealId(conversationId, 'step', itemId),
    status,
    ...(type === 'message' && { messageId: sealId(conversationId, 'msg', itemId) }),
    ...(type === 'function' && { toolCallId: sealCallId(conversationId, { kind: 'function', callId }) }),
    ...(type === 'mcp_approval' && { approvalId: sealCallId(conversationId, { kind: 'approval', callId }) }),
    ...details,
  };
}
