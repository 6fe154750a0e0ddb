import type { ConversationItem } from 'openai/resources/conversations/items';
import type {
  ResponseFileSearchToolCall,
  ResponseOutputMessage,
  ResponseStatus,
  ResponseUsage,
} from 'openai/resources/responses/responses';

export type Item = ConversationItem;
export type OutputItem = ResponseFileSearchToolCall | ResponseOutputMessage;
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
  /** Parameters without an effect here, which a response repeats with their defaults filled in. */
  echo: JsonObject;
}

/** A fate ordered for a response by the control API. */
export type Outcome =
  | { status: 'failed'; code: string; message: string }
  | { status: 'incomplete'; reason: IncompleteReason }
  | { status: 'never' };

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
  startsAtMs: number;
  /** Null when it never ends by itself. */
  endsAtMs: number | null;
  outcome: Outcome | null;
  answer: Answer | null;
  end: { status: EndStatus; atMs: number } | null;
  /** False once it was deleted or forgotten, or when it was not to be stored. */
  readable: boolean;
}

/** How long a response stays queued, and then in progress. */
export interface Timing {
  queueMs: number;
  runMs: number;
}
