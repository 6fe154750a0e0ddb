import { scheduler } from 'node:timers/promises';
import type OpenAI from 'openai';
import type { Config } from '../config.ts';
import { withTimeout } from '../deadline.ts';
import { AppError, type ErrorCode } from '../errors.ts';
import { lazy } from '../lazy.ts';
import type { RunErrorCode } from '../model/run.ts';
import type { EngineRunState, ReplyMessage } from '../model/runState.ts';
import type { Message } from '../model/thread.ts';
import {
  CredentialUnavailable,
  engineFetch,
  isRefusal,
  toAppError,
  toPromptRefusal,
  toRunErrorCode,
  toStartError,
} from './engineErrors.ts';
import { type RunRequest, toResponseParams } from './responseParams.ts';

/**
 * What became of handing a run to the engine. `rejected`: it certainly did not accept the run; `refused`: it did not
 * because of what people wrote; `unknown`: it may have accepted it.
 */
export type Submission =
  | {
      readonly outcome: 'accepted';
      readonly responseId: string;
      readonly state: EngineRunState;
      readonly stream: EngineStream;
    }
  | { readonly outcome: 'refused'; readonly errorCode: RunErrorCode }
  | { readonly outcome: 'rejected' | 'unknown'; readonly error: AppError };

/** The further events of a run that was just accepted. Either read it or close it. */
export interface EngineStream {
  readonly events: AsyncIterable<EngineEvent>;
  close(): void;
}

/** A step of a run as the engine reports it while it happens. */
export interface EngineEvent {
  /** Counts up within a run; the number to take it up again after. */
  readonly sequence: number;
  /** Present when it tells the state of the run. */
  readonly state?: EngineRunState;
  /** Present when a message of the reply begins. */
  readonly message?: { readonly itemId: string; readonly commentary: boolean };
  /** Present when it brings a further piece of a message; `part` counts the parts of the message. */
  readonly delta?: { readonly itemId: string; readonly part: number; readonly text: string };
}

export interface MessagePage {
  readonly messages: readonly Message[];
  /** There may be messages behind these; the page can be short of its limit, even empty, and still have more. */
  readonly hasMore: boolean;
  /** What the next page starts behind: the last message, or for a short page the last item looked at. */
  readonly lastId: string | undefined;
}

/**
 * What the service asks of the engine; the one place that speaks its words.
 * Every call is sent once, never repeated, and takes at most `timeoutMs`.
 * All but `submit` throw an {@link AppError}: `rate_limited`, `unavailable`, `thread_not_found` or `internal_error`.
 */
export interface Engine {
  openConversation(labels: Record<string, string>, timeoutMs: number): Promise<string>;
  removeConversation(conversationId: string, timeoutMs: number): Promise<void>;
  /** Starts a run. The run goes on when its stream is closed after `in_progress`; before that it may get stuck. */
  submit(request: RunRequest, timeoutMs: number): Promise<Submission>;
  find(responseId: string, timeoutMs: number): Promise<EngineRunState>;
  /**
   * The events of a run after one of them: the past ones at once, the others as they happen.
   * Ends when the engine ends it, whether or not the run has; throws when it cannot be taken up or breaks off.
   */
  follow(responseId: string, after: number, signal: AbortSignal): AsyncIterable<EngineEvent>;
  /** @returns the state after the request; `queued` or `in_progress` when the engine agreed but is not done yet. */
  cancel(responseId: string, timeoutMs: number): Promise<EngineRunState>;
  /** @param after an engine's item id; messages keep the engine's ids here. */
  listMessages(
    conversationId: string,
    page: { readonly after?: string; readonly limit: number },
    timeoutMs: number,
  ): Promise<MessagePage>;
}

export function createEngine(config: Config['engine']): Engine {
  // Most of the client's code is not needed to answer a finished run.
  const client = lazy(() => openClient(config));
  const call = async <T>(timeoutMs: number, send: Send<T>, missing?: ErrorCode): Promise<T> => {
    try {
      const openai = await client();
      return await withTimeout(timeoutMs, (signal) => send(openai, { timeout: timeoutMs, signal }));
    } catch (error) {
      throw toAppError(error, missing);
    }
  };
  /** A run that the engine does not know has a state too. */
  const findState = (timeoutMs: number, send: Send<OpenAI.Responses.Response>): Promise<EngineRunState> =>
    call(
      timeoutMs,
      async (openai, options) => toEngineRunState(await send(openai, options)),
      'run_not_found',
    ).catch((error) => {
      if (error instanceof AppError && error.code === 'run_not_found') return { status: 'absent' };
      throw error;
    });

  return {
    openConversation: (metadata, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => (await openai.conversations.create({ metadata }, options)).id,
      ),

    removeConversation: (id, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => void (await openai.conversations.delete(id, options)),
        'thread_not_found',
      ),

    async submit(request, timeoutMs) {
      const leave = new AbortController();
      try {
        const openai = await client();
        return await withTimeout(timeoutMs, async (late) => {
          late.addEventListener('abort', () => leave.abort());
          const options = { timeout: timeoutMs, signal: leave.signal };
          const stream = await openai.responses.create(toResponseParams(request), options);
          const events = stream[Symbol.asyncIterator]();
          const response = await firstResponse(events);
          const close = () => leave.abort();
          return {
            outcome: 'accepted',
            responseId: response.id,
            state: toEngineRunState(response),
            stream: { events: toEngineEvents(events), close },
          };
        });
      } catch (error) {
        leave.abort();
        const errorCode = toPromptRefusal(error);
        if (errorCode !== undefined) return { outcome: 'refused', errorCode };
        return { outcome: isRefusal(error) ? 'rejected' : 'unknown', error: toStartError(error) };
      }
    },

    find: (id, timeoutMs) =>
      findState(timeoutMs, (openai, options) => openai.responses.retrieve(id, {}, options)),

    async *follow(id, after, signal) {
      const stream = await (await client()).responses.retrieve(
        id,
        { stream: true, starting_after: after },
        { timeout: takeUpMs, signal },
      );
      yield* toEngineEvents(stream[Symbol.asyncIterator]());
    },

    cancel: (id, timeoutMs) =>
      findState(timeoutMs, async (openai, options) => {
        try {
          return await openai.responses.cancel(id, options);
        } catch (error) {
          // The engine refuses to cancel what has ended; how it ended is what the caller has to know.
          if (!cancelRefusals.has((error as { status?: number }).status)) throw error;
          const response = await openai.responses.retrieve(id, {}, options);
          if (response.status === 'queued' || response.status === 'in_progress') {
            throw new AppError('unavailable', { cause: error });
          }
          return response;
        }
      }),

    listMessages: (conversationId, { after, limit }, timeoutMs) => {
      const list: Send<MessagePage> = async (openai, options) => {
        const messages: Message[] = [];
        let lastId = after;
        for (let lists = 0; lists < maxItemLists; lists++) {
          const page = await openai.conversations.items.list(
            conversationId,
            {
              order: 'asc',
              // Tool calls and reasoning are items too, so a page that did not suffice is followed by a larger one.
              limit: Math.min(maxItems, (limit + 1) * 2 ** lists),
              ...(lastId !== undefined && { after: lastId }),
            },
            options,
          );
          for (const item of page.data) {
            const message = toMessage(item);
            if (message && messages.length === limit) {
              return { messages, hasMore: true, lastId: messages.at(-1)?.messageId };
            }
            if (message) messages.push(message);
            lastId = item.id;
          }
          if (!page.has_more || page.data.length === 0) {
            return { messages, hasMore: false, lastId: messages.at(-1)?.messageId };
          }
        }
        return { messages, hasMore: true, lastId };
      };
      return call(timeoutMs, list, 'thread_not_found');
    },
  };
}

/** The engine's own limit for a page of items. */
const maxItems = 100;

/** How many pages of items one page of messages may take. */
const maxItemLists = 5;

/** Longest wait for a token of Entra ID. */
const tokenMs = 5_000;

/** Longest wait for a stream to begin. */
const takeUpMs = 10_000;

/** Statuses with which engines refuse to cancel a response that is not, or no longer, to be cancelled. */
const cancelRefusals: ReadonlySet<number | undefined> = new Set([400, 409]);

type WireEvents = AsyncIterator<OpenAI.Responses.ResponseStreamEvent>;

/** Reads a stream up to the first event that names the response. */
async function firstResponse(events: WireEvents): Promise<OpenAI.Responses.Response> {
  for (;;) {
    const { done, value: event } = await events.next();
    if (done) throw new Error('the stream ended without a response');
    if ('response' in event && event.response.id) return event.response;
  }
}

async function* toEngineEvents(events: WireEvents): AsyncGenerator<EngineEvent> {
  try {
    for (;;) {
      const { done, value: event } = await events.next();
      if (done) return;
      yield toEngineEvent(event);
    }
  } finally {
    await events.return?.();
  }
}

function toEngineEvent(event: OpenAI.Responses.ResponseStreamEvent): EngineEvent {
  const sequence = event.sequence_number;
  switch (event.type) {
    case 'response.output_text.delta':
    case 'response.refusal.delta':
      return { sequence, delta: { itemId: event.item_id, part: event.content_index, text: event.delta } };
    case 'response.output_item.added':
      return event.item.type === 'message' ? { sequence, message: toMessageStart(event.item) } : { sequence };
    default:
      return 'response' in event && isKnownStatus(event.response.status)
        ? { sequence, state: toEngineRunState(event.response) }
        : { sequence };
  }
}

const toMessageStart = ({ id, phase }: OpenAI.Responses.ResponseOutputMessage) => ({
  itemId: id,
  commentary: phase === 'commentary',
});

type Send<T> = (openai: OpenAI, options: { timeout: number; signal: AbortSignal }) => Promise<T>;

async function openClient({ baseUrl, apiKey, tokenScope }: Config['engine']): Promise<OpenAI> {
  const { default: Client } = await import('openai');
  return new Client({
    baseURL: baseUrl,
    apiKey: apiKey ?? (await entraTokens(tokenScope)),
    // Nothing but the settings decides where requests go, and nothing of a request is logged.
    organization: null,
    project: null,
    logLevel: 'off',
    // A repeated create could start a second run, and a repeated look-up would outlast its caller.
    maxRetries: 0,
    fetch: engineFetch,
  });
}

async function entraTokens(scope: string): Promise<() => Promise<string>> {
  const { DefaultAzureCredential, getBearerTokenProvider } = await import('@azure/identity');
  const tokens = getBearerTokenProvider(new DefaultAzureCredential(), scope);
  return async () => {
    // The client waits for a token before it looks at any limit of its own.
    const late = new AbortController();
    try {
      return await Promise.race([
        tokens(),
        scheduler.wait(tokenMs, { signal: late.signal }).then(() => {
          throw new Error('the token took too long');
        }),
      ]);
    } catch (error) {
      throw new CredentialUnavailable('no token for the engine', { cause: error });
    } finally {
      late.abort();
    }
  };
}

const knownStatuses = ['queued', 'in_progress', 'cancelled', 'completed', 'failed', 'incomplete'];

const isKnownStatus = (status: string | undefined) => status !== undefined && knownStatuses.includes(status);

function toEngineRunState(response: OpenAI.Responses.Response): EngineRunState {
  switch (response.status) {
    case 'queued':
    case 'in_progress':
    case 'cancelled':
      return { status: response.status };
    case 'completed':
      return { status: 'completed', ...toCompletion(response), reply: toReply(response) };
    case 'failed':
      return { ...toFailure(response.error?.code), reply: toReply(response) };
    case 'incomplete':
      return { ...toFailure(response.incomplete_details?.reason), reply: toReply(response) };
    default:
      throw new AppError('unavailable', { cause: new Error('the engine gave no known status') });
  }
}

const toFailure = (code: string | null | undefined) =>
  ({ status: 'failed', errorCode: toRunErrorCode(code), reason: toReason(code) }) as const;

const toReply = ({ output }: OpenAI.Responses.Response): ReplyMessage[] =>
  (output ?? []).flatMap((item) =>
    item.type === 'message' ? { ...toMessageStart(item), text: textOf(item.content) } : [],
  );

function toCompletion({ completed_at, usage }: OpenAI.Responses.Response) {
  return {
    // Whole seconds, so the end of that second: never before the run really ended.
    ...(completed_at && { completedAt: new Date(Math.floor(completed_at) * 1000 + 999) }),
    ...(usage && {
      usage: {
        inputTokens: usage.input_tokens,
        outputTokens: usage.output_tokens,
        totalTokens: usage.total_tokens,
      },
    }),
  };
}

/** Only a code passes, never a sentence. */
const toReason = (code: string | null | undefined): string =>
  code && /^[a-z0-9_]{1,64}$/i.test(code) ? code : 'unknown_error';

function toMessage(item: OpenAI.Conversations.ConversationItem): Message | undefined {
  if (item.type !== 'message' || (item.role !== 'user' && item.role !== 'assistant')) return undefined;
  return { messageId: item.id, role: item.role, content: textOf(item.content) };
}

type MessagePart = { readonly type: string; readonly text?: string; readonly refusal?: string };

/** Parts that belong to a message; the summary of a model's reasoning, say, does not. */
const textParts = new Set(['input_text', 'output_text', 'text']);

/** Joins a message's parts of text and refusals, each on lines of its own. */
const textOf = (parts: readonly MessagePart[]): string =>
  parts
    .map(({ type, text, refusal }) => (textParts.has(type) ? text : type === 'refusal' ? refusal : ''))
    .filter(Boolean)
    .join('\n');
