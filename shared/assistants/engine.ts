import { setTimeout as sleep } from 'node:timers/promises';
import type OpenAI from 'openai';
import type { Config } from '../config.ts';
import { within } from '../deadline.ts';
import { AppError, type ErrorCode } from '../http/errors.ts';
import { lazy } from '../lazy.ts';
import type { Observation } from '../runs/state.ts';
import type { Message } from '../threads/thread.ts';
import { CredentialUnavailable, engineFetch, isRefusal, toAppError, toStartError } from './engineErrors.ts';
import { type RunRequest, toResponseParams } from './runRequest.ts';

/** The engine's answer to a start. `refused`: it certainly did not take the run; `unknown`: it may have. */
export type Started =
  | { readonly outcome: 'taken'; readonly responseId: string; readonly seen: Observation }
  | { readonly outcome: 'refused' | 'unknown'; readonly error: AppError };

/** A step of a run as the engine reports it while it happens. */
export interface EngineEvent {
  /** Counts up within a run; the number to take it up again after. */
  readonly sequence: number;
  /** Present when it tells how the run stands. */
  readonly seen?: Observation;
  /** Present when it brings a further piece of the answer's text. */
  readonly delta?: string;
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
 * All but `start` throw an {@link AppError}: `rate_limited`, `unavailable`, `thread_not_found` or `internal_error`.
 */
export interface Engine {
  openConversation(labels: Record<string, string>, timeoutMs: number): Promise<string>;
  removeConversation(conversationId: string, timeoutMs: number): Promise<void>;
  start(request: RunRequest, timeoutMs: number): Promise<Started>;
  find(responseId: string, timeoutMs: number): Promise<Observation>;
  /**
   * The events of a run after one of them: the past ones at once, the others as they happen.
   * Ends when the engine ends it, whether or not the run has; throws when it cannot be taken up or breaks off.
   */
  follow(responseId: string, after: number, signal: AbortSignal): AsyncIterable<EngineEvent>;
  cancel(responseId: string, timeoutMs: number): Promise<Observation>;
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
      return await within(timeoutMs, (signal) => send(openai, { timeout: timeoutMs, signal }));
    } catch (error) {
      throw toAppError(error, missing);
    }
  };
  /** A run that the engine does not know is an observation too. */
  const observe = (timeoutMs: number, send: Send<OpenAI.Responses.Response>): Promise<Observation> =>
    call(
      timeoutMs,
      async (openai, options) => toObservation(await send(openai, options)),
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

    async start(request, timeoutMs) {
      try {
        const openai = await client();
        const response = await within(timeoutMs, async (signal) =>
          firstResponse(
            await openai.responses.create(toResponseParams(request), { timeout: timeoutMs, signal }),
          ),
        );
        return { outcome: 'taken', responseId: response.id, seen: toObservation(response) };
      } catch (error) {
        return { outcome: isRefusal(error) ? 'refused' : 'unknown', error: toStartError(error) };
      }
    },

    find: (id, timeoutMs) =>
      observe(timeoutMs, (openai, options) => openai.responses.retrieve(id, {}, options)),

    async *follow(id, after, signal) {
      const stream = await (await client()).responses.retrieve(
        id,
        { stream: true, starting_after: after },
        { timeout: takeUpMs, signal },
      );
      for await (const event of stream) yield toEngineEvent(event);
    },

    cancel: (id, timeoutMs) =>
      observe(timeoutMs, async (openai, options) => {
        try {
          return await openai.responses.cancel(id, options);
        } catch (error) {
          // The engine refuses to cancel what has ended; how it ended is what the caller has to know.
          if ((error as { status?: number }).status !== 400) throw error;
          return openai.responses.retrieve(id, {}, options);
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

/** The stream is left after its first event: the run goes on, and the stream can be taken up again later. */
async function firstResponse(stream: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>) {
  for await (const event of stream) {
    if ('response' in event && event.response.id) return event.response;
  }
  throw new Error('the stream ended without a response');
}

function toEngineEvent(event: OpenAI.Responses.ResponseStreamEvent): EngineEvent {
  return {
    sequence: event.sequence_number,
    ...('response' in event && { seen: toObservation(event.response) }),
    ...(event.type === 'response.output_text.delta' && { delta: event.delta }),
  };
}

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
        sleep(tokenMs, undefined, { signal: late.signal }).then(() => {
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

function toObservation(response: OpenAI.Responses.Response): Observation {
  switch (response.status) {
    case 'queued':
    case 'in_progress':
    case 'cancelled':
      return { status: response.status };
    case 'completed':
      return { status: 'completed', ...toCompletion(response) };
    case 'failed':
      return { status: 'failed', reason: toReason(response.error?.code) };
    case 'incomplete':
      return { status: 'failed', reason: toReason(response.incomplete_details?.reason) };
    default:
      throw new AppError('unavailable', { cause: new Error('the engine gave no known status') });
  }
}

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
  const content = item.content.map(toText).filter(Boolean).join('\n');
  return { messageId: item.id, role: item.role, content };
}

/** What a part says to its reader; reasoning and its summaries are parts with a text too. */
function toText(part: OpenAI.Conversations.Message['content'][number]): string {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return part.text;
    case 'refusal':
      return part.refusal;
    default:
      return '';
  }
}
