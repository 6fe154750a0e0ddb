import type {
  Annotation,
  CreateRunRequest,
  Message,
  RequiredAction,
  ToolOutputsRequest,
} from '../src/index.ts';
import { randomId } from '../src/randomId.ts';

export type MessagePart = TextPart | RefusalPart | ToolCallPart | ApprovalPart;

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
  /** Sources and products; their offsets count in the `content` of the message. Known once the run has ended. */
  readonly annotations: readonly Annotation[];
}

export interface RefusalPart {
  readonly type: 'refusal';
  readonly text: string;
}

/** A function that the run asks for. */
export interface ToolCallPart {
  readonly type: 'tool_call';
  readonly toolCallId: string;
  readonly name: string;
  /** JSON as the model wrote it: validate it before use. */
  readonly arguments: string;
  /** The output given in this page; null before, and if another one gave it. */
  readonly output: string | null;
}

/** A call of a server's tool that needs approval. */
export interface ApprovalPart {
  readonly type: 'approval';
  readonly approvalId: string;
  readonly server: string;
  readonly tool: string;
  /** JSON as the model wrote it. */
  readonly arguments: string;
  /** The decision made in this page; null before, and if another one made it. */
  readonly approved: boolean | null;
}

/** A file that a message carries, as it is shown. */
export interface ShownAttachment {
  readonly fileId: string;
  readonly type: 'image' | 'file';
  /** Known for messages sent from this page only. */
  readonly filename?: string;
}

/**
 * - `pending`: the user's, on its way; `sent`; `failed`: not known to be sent, see `retry`
 * - `streaming`: the assistant's, growing; `waiting`: asks for outputs or approvals; `complete`; `incomplete`: cut off by
 *   the end of the run
 */
export type MessageStatus =
  | 'pending'
  | 'sent'
  | 'failed'
  | 'streaming'
  | 'waiting'
  | 'complete'
  | 'incomplete';

/** A message of a thread as it is shown. Objects are replaced when they change, and only then. */
export interface ThreadMessage {
  /** Stays the same while the page is open, also when the service gives the message its id: a key for rendering. */
  readonly id: string;
  /** The service's id; null while it is not known, and for what a run asks for. */
  readonly messageId: string | null;
  readonly role: 'user' | 'assistant';
  readonly status: MessageStatus;
  /** Plain text of the whole message. */
  readonly content: string;
  readonly parts: readonly MessagePart[];
  readonly attachments: readonly ShownAttachment[];
  /** ISO 8601; the page's own time until the service's is known; null for a growing reply. */
  readonly createdAt: string | null;
  /** The run whose reply it is; null for the user's, and if not known. */
  readonly runId: string | null;
  /** Whether it is what the assistant says about its work before the reply. Not known of messages from an earlier visit. */
  readonly commentary: boolean;
}

/** What to post besides the text. */
export interface SubmitOptions {
  /** For this run only. */
  readonly instructions?: string;
  /** Uploaded files, as `client.files.upload` returns them. */
  readonly attachments?: readonly {
    readonly fileId: string;
    readonly filename?: string;
    readonly mediaType?: string;
  }[];
  /** Labels of the run; of the thread, if the message creates it. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A message that is not known to be sent. */
export interface Draft {
  /** The id of the message that shows it. */
  readonly id: string;
  readonly message: string;
  readonly options: SubmitOptions;
  /** The same for every attempt, so that no attempt starts a second run. */
  readonly idempotencyKey: string;
}

export const newDraft = (message: string, options: SubmitOptions): Draft => ({
  id: randomId(),
  message,
  options,
  idempotencyKey: randomId(),
});

/** Returns the body of a draft's create; the same for every attempt, as the key requires. */
export const toRequest = ({ message, options }: Draft): CreateRunRequest => {
  const { attachments = [], instructions, metadata } = options;
  return {
    message,
    ...(instructions !== undefined && { instructions }),
    ...(attachments.length > 0 && { attachments: attachments.map(({ fileId }) => ({ fileId })) }),
    ...(metadata && { metadata: { ...metadata } }),
  };
};

/** Returns the user's message as it is shown at once. */
export const toMessage = ({ id, message, options }: Draft): ThreadMessage => ({
  id,
  messageId: null,
  role: 'user',
  status: 'pending',
  content: message,
  parts: [{ type: 'text', text: message, annotations: [] }],
  attachments: (options.attachments ?? []).map(({ fileId, filename, mediaType }) => ({
    fileId,
    type: mediaType?.startsWith('image/') ? 'image' : 'file',
    ...(filename !== undefined && { filename }),
  })),
  createdAt: new Date().toISOString(),
  runId: null,
  commentary: false,
});

/** Returns an assistant's message that has no text yet. */
export const emptyReply = (messageId: string, runId: string, commentary: boolean): ThreadMessage => ({
  id: messageId,
  messageId,
  role: 'assistant',
  status: 'streaming',
  content: '',
  parts: [],
  attachments: [],
  createdAt: null,
  runId,
  commentary,
});

/** Returns what a run asks for as a message, to be shown in its place of the conversation. */
export function toolMessage(runId: string, { toolCalls, approvals }: RequiredAction): ThreadMessage {
  const parts = [
    ...toolCalls.map((call): ToolCallPart => ({ type: 'tool_call', ...call, output: null })),
    ...approvals.map((approval): ApprovalPart => ({ type: 'approval', ...approval, approved: null })),
  ];
  return {
    ...emptyReply('', runId, false),
    // Ids of calls are unique, so a round that is read again is recognized.
    id: `${runId} ${toolCalls[0]?.toolCallId ?? approvals[0]?.approvalId}`,
    messageId: null,
    status: 'waiting',
    parts,
  };
}

/** Adds outputs and decisions to what a run asks for. */
export function withOutputs(message: ThreadMessage, given: GivenOutputs): ThreadMessage {
  const parts = message.parts.map((part): MessagePart => {
    if (part.type === 'tool_call')
      return { ...part, output: given.outputs.get(part.toolCallId) ?? part.output };
    if (part.type !== 'approval') return part;
    return { ...part, approved: given.decisions.get(part.approvalId)?.approve ?? part.approved };
  });
  return { ...message, parts };
}

/** Outputs and decisions on approvals that were given for one round so far. */
export class GivenOutputs {
  readonly outputs = new Map<string, string>();
  readonly decisions = new Map<string, { approve: boolean; reason?: string | null }>();

  add({ toolOutputs = [], approvals = [] }: ToolOutputsRequest): void {
    for (const { toolCallId, output } of toolOutputs) this.outputs.set(toolCallId, output);
    for (const { approvalId, ...decision } of approvals) this.decisions.set(approvalId, decision);
  }

  /** Returns the request with all that the run waits for; undefined while something is missing. */
  toRequest({ toolCalls, approvals }: RequiredAction): ToolOutputsRequest | undefined {
    const toolOutputs = toolCalls.flatMap(({ toolCallId }) => {
      const output = this.outputs.get(toolCallId);
      return output === undefined ? [] : { toolCallId, output };
    });
    const decisions = approvals.flatMap(({ approvalId }) => {
      const decision = this.decisions.get(approvalId);
      return decision === undefined ? [] : { approvalId, ...decision };
    });
    const isComplete = toolOutputs.length === toolCalls.length && decisions.length === approvals.length;
    return isComplete ? { toolOutputs, approvals: decisions } : undefined;
  }
}

/** Text of a growing message, in pieces of one kind each. */
export class GrowingText {
  readonly #pieces: { type: 'text' | 'refusal'; text: string }[] = [];

  add(type: 'text' | 'refusal', text: string): void {
    const last = this.#pieces.at(-1);
    if (last?.type === type) last.text += text;
    else this.#pieces.push({ type, text });
  }

  /**
   * Returns the message with this text, or as it is while that shows more: events of a run that is followed again begin
   * at its beginning.
   */
  applyTo(message: ThreadMessage): ThreadMessage {
    const content = this.#pieces.map(({ text }) => text).join('');
    if (content.length <= message.content.length) return message;
    const parts = this.#pieces.map(
      ({ type, text }): MessagePart => (type === 'text' ? { type, text, annotations: [] } : { type, text }),
    );
    return { ...message, content, parts };
  }
}

/** Returns a stored message as it is shown. @param before what is shown of it so far. */
function fromStored(stored: Message, before: ThreadMessage | undefined): ThreadMessage {
  const { messageId, role, content, refusal, annotations, createdAt, runId } = stored;
  const text = refusal !== null && content.endsWith(refusal) ? content.slice(0, -refusal.length) : content;
  const parts: MessagePart[] = [];
  if (text !== '') parts.push({ type: 'text', text, annotations });
  if (refusal !== null) parts.push({ type: 'refusal', text: refusal });
  const next: ThreadMessage = {
    id: before?.id ?? messageId,
    messageId,
    role,
    status: role === 'user' ? 'sent' : 'complete',
    content,
    parts,
    attachments: stored.attachments.map(
      ({ fileId, type }) => before?.attachments.find((known) => known.fileId === fileId) ?? { fileId, type },
    ),
    createdAt: createdAt ?? before?.createdAt ?? null,
    runId: runId ?? before?.runId ?? null,
    commentary: before?.commentary ?? false,
  };
  // Unchanged messages keep their identity, so that they need not be rendered again.
  return before && JSON.stringify(before) === JSON.stringify(next) ? before : next;
}

/**
 * Merges the thread's newest messages, oldest first, into what is shown. Stored messages replace what is shown of them; what
 * is not stored yet keeps its place after the message before it, and what was not sent comes last.
 * @returns the messages, and whether they begin with the page, because there is a gap before it.
 */
export function mergePage(
  shown: readonly ThreadMessage[],
  page: readonly Message[],
): { messages: ThreadMessage[]; isFromStart: boolean } {
  const known = new Map(shown.map((message) => [message.messageId, message]));
  const isFromStart = !page.some(({ messageId }) => known.has(messageId));
  const places = new Map<ThreadMessage, ThreadMessage>();
  const unconfirmed = shown.filter(({ role, messageId }) => role === 'user' && messageId === null);
  const merged = page.map((stored) => {
    const before =
      known.get(stored.messageId) ?? (stored.role === 'user' ? confirm(unconfirmed, stored) : undefined);
    const message = fromStored(stored, before);
    if (before) places.set(before, message);
    return message;
  });

  const first = shown.findIndex((message) => places.has(message));
  const messages = isFromStart ? merged : [...shown.slice(0, first), ...merged];
  const unsent: ThreadMessage[] = [];
  let previous: ThreadMessage | undefined;
  for (const message of isFromStart ? shown : shown.slice(first)) {
    const stored = places.get(message);
    if (stored) previous = stored;
    else if (message.status === 'failed') unsent.push(message);
    // Before a gap, only what is not stored is kept.
    else if (!isFromStart || message.messageId === null || message.status === 'streaming') {
      messages.splice(previous ? messages.indexOf(previous) + 1 : messages.length, 0, message);
      previous = message;
    }
  }
  return { messages: [...messages, ...unsent], isFromStart };
}

/** Finds and removes the message that a stored one confirms. */
function confirm(unconfirmed: ThreadMessage[], stored: Message): ThreadMessage | undefined {
  const same = unconfirmed.filter(({ content }) => content === stored.content);
  const found = same.find(({ createdAt }) => createdAt === stored.createdAt) ?? same[0];
  if (found) unconfirmed.splice(unconfirmed.indexOf(found), 1);
  return found;
}

/** Returns earlier messages, oldest first, as they are shown before the others. */
export const prependPage = (shown: readonly ThreadMessage[], page: readonly Message[]): ThreadMessage[] => {
  const known = new Set(shown.map(({ messageId }) => messageId));
  return [
    ...page.filter(({ messageId }) => !known.has(messageId)).map((stored) => fromStored(stored, undefined)),
    ...shown,
  ];
};
