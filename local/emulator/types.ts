import type { ConversationItem } from 'openai/resources/conversations/items';
import type {
  ResponseFileSearchToolCall,
  ResponseFunctionToolCallItem,
  ResponseOutputItem,
  ResponseOutputMessage,
  ResponseReasoningItem,
  ResponseStatus,
  ResponseUsage,
} from 'openai/resources/responses/responses';

export type Item = ConversationItem;
export type OutputItem =
  | ResponseFileSearchToolCall
  | ResponseFunctionToolCallItem
  | ResponseOutputItem.McpApprovalRequest
  | ResponseOutputMessage
  | ResponseReasoningItem;
export type JsonObject = Record<string, unknown>;
export type EndStatus = Exclude<ResponseStatus, 'queued' | 'in_progress'>;

/** A conversation as it is kept; `createdAt` in Unix seconds, items oldest first. */
export interface Conversation {
  id: string;
  createdAt: number;
  metadata: JsonObject;
  items: Item[];
  /** The lock: the response that may append to this conversation, finished or not by the clock. */
  activeResponseId: string | null;
}

/** What a validated `POST /v1/responses` asked for. */
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
  /** Whether deltas are padded to hide their length, as they are by default. */
  obfuscation: boolean;
  /** Parameters without an effect here, which a response repeats with their defaults filled in. */
  echo: JsonObject;
}

/** A fate ordered for a response by the control API. */
export type Outcome =
  | { status: 'completed'; output: OrderedItem[] }
  | { status: 'failed'; code: string; message: string; errorEvent: ErrorEventShape | null }
  | { status: 'incomplete'; reason: IncompleteReason }
  | { status: 'never' };

/** An `error` event with its fields below `error`, as engines send it, or beside its `type`, as it is documented. */
export type ErrorEventShape = 'nested' | 'flat';

/** An output item as a test orders it: without what the engine adds to it. */
export type OrderedItem =
  | { type: 'message'; phase?: 'commentary' | 'final_answer'; content: OrderedPart[] }
  | { type: 'reasoning'; summary?: string[]; content?: string[] }
  | { type: 'function_call'; name: string; arguments: string }
  | { type: 'mcp_approval_request'; server_label: string; name: string; arguments: string };

export type OrderedPart = { type: 'output_text'; text: string } | { type: 'refusal'; refusal: string };

export type IncompleteReason = 'max_output_tokens' | 'content_filter';

export interface Answer {
  output: OutputItem[];
  usage: ResponseUsage;
  incompleteReason: IncompleteReason | null;
}

/**
 * A response as it is kept. Its status follows from the clock until `end` is recorded, so that a response
 * costs no timer and survives a restart. Times in Unix milliseconds.
 */
export interface ResponseRecord {
  id: string;
  request: CreateRequest;
  createdAtMs: number;
  /** Null when it was stranded: it stays queued until it is cancelled. */
  startsAtMs: number | null;
  /** Null when it never ends by itself. */
  endsAtMs: number | null;
  /** Until then nobody can look it up. */
  visibleAtMs: number;
  cancelledAtMs: number | null;
  /** When a cancelled response is going to complete nevertheless; null otherwise. */
  completesAtMs: number | null;
  /** Until then a cancelled response holds its conversation's lock. */
  unlocksAtMs: number;
  outcome: Outcome | null;
  answer: Answer | null;
  end: { status: EndStatus; atMs: number } | null;
  /** False once it was deleted or forgotten, or when it was not to be stored. */
  readable: boolean;
}

/** What takes how long, in milliseconds. */
export interface Timing {
  /** How long a background response stays queued. */
  queueMs: number;
  /** How long a response is in progress. */
  runMs: number;
  /** How long a streamed background response is answered 404 after its creation. */
  visibleAfterMs: number;
  /** How long a conversation stays locked after its response was cancelled. */
  unlockAfterCancelMs: number;
  /** After how long a cancelled response completes nevertheless; null for never. */
  completeAfterCancelMs: number | null;
}

/** What the emulator does as real engines do, and a test may switch off. */
export interface Behaviour {
  /** A background response whose creating stream is left while it is queued stays queued. */
  strandDropped: boolean;
}
