import type { ConversationItem } from 'openai/resources/conversations/items';
import type {
  ResponseCodeInterpreterToolCall,
  ResponseFileSearchToolCall,
  ResponseFunctionToolCallItem,
  ResponseFunctionWebSearch,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseReasoningItem,
  ResponseStatus,
  ResponseUsage,
} from 'openai/resources/responses/responses';
import type { Outcome } from './outcomes.ts';

export type Item = ConversationItem;
export type OutputItem =
  | ResponseCodeInterpreterToolCall
  | ResponseFileSearchToolCall
  | ResponseFunctionToolCallItem
  | ResponseFunctionWebSearch
  | ResponseOutputItem.McpApprovalRequest
  | ResponseOutputItem.McpCall
  | ResponseOutputItem.McpListTools
  | ResponseOutputMessage
  | ResponseReasoningItem;
export type JsonObject = Record<string, unknown>;
export type EndStatus = Exclude<ResponseStatus, 'queued' | 'in_progress'>;

/** A stored conversation; `createdAt` in Unix seconds, items oldest first. */
export interface Conversation {
  id: string;
  createdAt: number;
  metadata: JsonObject;
  items: Item[];
  /** The response that holds the lock and may append to the conversation. */
  activeResponseId: string | null;
}

/** A validated `POST /v1/responses`. */
export interface CreateRequest {
  model: string;
  input: Item[];
  instructions: string | null;
  conversationId: string | null;
  previousResponseId: string | null;
  background: boolean;
  store: boolean;
  stream: boolean;
  tools: JsonObject[];
  metadata: JsonObject;
  maxOutputTokens: number | null;
  include: string[];
  /** Whether deltas are padded to hide their length; true by default. */
  obfuscation: boolean;
  /** Parameters without effect here, echoed by the response with defaults filled in. */
  echo: JsonObject;
}

export type IncompleteReason = 'max_output_tokens' | 'content_filter';

export interface ResponseResult {
  output: OutputItem[];
  usage: ResponseUsage;
  incompleteReason: IncompleteReason | null;
}

/**
 * A stored response. Until `end` is recorded, its status is derived from the current time, so that a response needs no
 * timer and survives a restart. Times in Unix milliseconds.
 */
export interface ResponseRecord {
  id: string;
  request: CreateRequest;
  createdAtMs: number;
  /** Null for a stranded response, which stays queued until it is cancelled. */
  startsAtMs: number | null;
  /** Null if the response ends only by cancellation. */
  endsAtMs: number | null;
  /** When the response becomes readable. */
  visibleAtMs: number;
  cancelledAtMs: number | null;
  /** When a cancelled response completes nevertheless; null if it does not. */
  completesAtMs: number | null;
  /** When a cancelled response unlocks its conversation. */
  unlocksAtMs: number;
  outcome: Outcome | null;
  result: ResponseResult | null;
  /** Whether the conversation got the input when the response was created. */
  inputAppended: boolean;
  end: { status: EndStatus; atMs: number } | null;
  /** False for a deleted, forgotten or unstored response. */
  readable: boolean;
}

/** Durations, in milliseconds. */
export interface Timing {
  /** How long a background response stays queued. */
  queueMs: number;
  /** How long a response is in progress. */
  runMs: number;
  /** How long reads of a streamed background response return 404 after its creation. */
  visibleAfterMs: number;
  /** How long a conversation stays locked after its response was cancelled. */
  unlockAfterCancelMs: number;
  /** Delay after which a cancelled response completes nevertheless; null for never. */
  completeAfterCancelMs: number | null;
  /** How long a file of a vector store is indexed. */
  indexMs: number;
}

/** Behaviour in which real engines differ or may change. */
export interface Behaviour {
  /** Whether a background response stays queued if its creating stream is closed while it is queued. */
  strandDropped: boolean;
  /**
   * When a conversation gets the input of a response: when it completes, or when it is created, so that the input of a
   * failed or cancelled response stays.
   */
  appendInput: 'completion' | 'creation';
  /** Whether contents of uploaded files are refused, as OpenAI does for `assistants` and `user_data`. */
  refuseDownloads: boolean;
  /** Whether vector stores keep the entries of files that have been deleted. */
  keepDeletedFiles: boolean;
}
