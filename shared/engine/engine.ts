import type OpenAI from 'openai';
import { withTimeout } from '../deadline.ts';
import { AppError, hasCode, ignore } from '../errors.ts';
import type { Annotation, ContainerFile } from '../model/message.ts';
import type { RunErrorCode } from '../model/run.ts';
import type { EngineRunState } from '../model/runState.ts';
import type { EngineRound, EngineStep } from '../model/step.ts';
import type { PendingCall } from '../model/toolCalls.ts';
import type { EngineClient, Send } from './client.ts';
import { type ConversationMessages, createConversationMessages } from './conversationMessages.ts';
import {
  findLostStore,
  isCallMismatch,
  isRefusal,
  lostStoreError,
  toCursorError,
  toPromptRefusal,
  toStartError,
} from './engineErrors.ts';
import { isKnownStatus, toEngineRunState, toOpenCalls } from './engineState.ts';
import { stepDetails, toEngineRound, toEngineStep } from './engineSteps.ts';
import { type EngineAnnotation, type EngineMessage, imageUrls, toAnnotation, toMessage } from './messages.ts';
import { type RunRequest, toResponseParams } from './responseParams.ts';

/**
 * Result of submitting a run. `refused`: the engine refused the message or the instructions; `rejected`: it did not
 * accept the run for another reason; `unknown`: it may have accepted it.
 */
export type Submission =
  | {
      readonly outcome: 'accepted';
      readonly responseId: string;
      readonly state: EngineRunState;
      readonly stream: EngineStream;
    }
  | { readonly outcome: 'refused'; readonly errorCode: RunErrorCode }
  | {
      readonly outcome: 'rejected';
      readonly error: AppError;
      /** Whether the outputs in the request do not match the calls in the conversation. */
      readonly isCallMismatch: boolean;
      /** Whether a vector store that the thread or the assistant names does not exist any more. */
      readonly isStoreLost: boolean;
    }
  | { readonly outcome: 'unknown'; readonly error: AppError };

/** The remaining events of a run that was just accepted. Must be read or closed. */
export interface EngineStream {
  readonly events: AsyncIterable<EngineEvent>;
  close(): void;
}

/** An event of a run, as streamed by the engine. */
export interface EngineEvent {
  /** Increases within a run; pass it to `follow` to resume after this event. */
  readonly sequence: number;
  /** Present when the event carries the state of the run. */
  readonly state?: EngineRunState;
  /** Present when a step starts or finishes, such as a message of the reply. */
  readonly step?: { readonly change: 'started' | 'finished' } & EngineStep;
  /** Present when the event carries text of a message; `part` is the index of the content part. */
  readonly delta?: {
    readonly itemId: string;
    readonly part: number;
    readonly text: string;
    /** Whether the text is a refusal. */
    readonly refusal: boolean;
  };
  /** Present when the event carries an annotation of a message; its offsets count from the start of the part. */
  readonly annotation?: {
    readonly itemId: string;
    readonly part: number;
    readonly annotation: Annotation<ContainerFile>;
  };
}

export interface MessagePage {
  /** Their ids are the engine's. */
  readonly messages: readonly EngineMessage[];
  /** The message after them, if it was read. */
  readonly next?: EngineMessage;
  /** Whether more messages may follow. True is possible even for a short or empty page. */
  readonly hasMore: boolean;
  /** Cursor of the next page: the last message or, for a short page, the last item read. */
  readonly lastId: string | undefined;
}

/**
 * Client of the engine, the OpenAI Responses and Conversations APIs.
 * Every call is sent once, without retries, and takes at most `timeoutMs` milliseconds.
 * All but `submit` throw an {@link AppError}: `rate_limited`, `unavailable`, `thread_not_found` or `internal_error`.
 */
export interface Engine extends ConversationMessages {
  openConversation(labels: Record<string, string>, timeoutMs: number): Promise<string>;
  removeConversation(conversationId: string, timeoutMs: number): Promise<void>;
  /** Starts a round of a run. Closing its stream before `in_progress` may leave the run stuck; later it continues. */
  submit(request: RunRequest, timeoutMs: number): Promise<Submission>;
  find(responseId: string, timeoutMs: number): Promise<EngineRunState>;
  /** Reads what a round did. @returns undefined when the engine does not have it. */
  findRound(responseId: string, timeoutMs: number): Promise<EngineRound | undefined>;
  /**
   * Streams the events of a run that come after sequence number `after`: past events first, then live ones.
   * Ends when the engine ends the stream, even if the run has not ended; throws when the stream cannot be opened or
   * breaks.
   */
  follow(responseId: string, after: number, signal: AbortSignal): AsyncIterable<EngineEvent>;
  /** @returns the state after the request; `queued` or `in_progress` while the cancellation is still in progress. */
  cancel(responseId: string, timeoutMs: number): Promise<EngineRunState>;
  /** Finds the calls without an output among the newest 100 items of a conversation. */
  findOpenCalls(conversationId: string, timeoutMs: number): Promise<PendingCall[]>;
  /**
   * @param page `after` is an item id of the engine, as are the message ids of the result.
   * @throws {AppError} also message_not_found for an item that is not, or no longer, there.
   */
  listMessages(
    conversationId: string,
    page: {
      readonly after?: string;
      readonly limit: number;
      readonly order: 'asc' | 'desc';
      /** Whether to read the URLs of images too. */
      readonly imageUrls?: boolean;
    },
    timeoutMs: number,
  ): Promise<MessagePage>;
}

/** Creates the part of the engine that threads and runs use. */
export function createEngine({ open: client, call, toolAuthorizations }: EngineClient): Engine {
  /** Maps a run that the engine does not know to the state `absent`. */
  const findState = (timeoutMs: number, send: Send<OpenAI.Responses.Response>): Promise<EngineRunState> =>
    call(
      timeoutMs,
      async (openai, options) => toEngineRunState(await send(openai, options)),
      'run_not_found',
    ).catch((error) => {
      if (hasCode(error, 'run_not_found')) return { status: 'absent' };
      throw error;
    });

  return {
    ...createConversationMessages(call),

    openConversation: (metadata, timeoutMs) =>
      call(timeoutMs, async (openai, options) => {
        const { id } = await openai.conversations.create({ metadata }, options);
        // A web page with status 200, from an address that is not an engine's.
        if (typeof id !== 'string') throw new Error('the response is not a conversation');
        return id;
      }),

    removeConversation: (id, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) => void (await openai.conversations.delete(id, options)),
        'thread_not_found',
      ),

    async submit(request, timeoutMs) {
      const disconnect = new AbortController();
      try {
        const openai = await client();
        return await withTimeout(timeoutMs, async (timeout) => {
          timeout.addEventListener('abort', () => disconnect.abort());
          const options = { timeout: timeoutMs, signal: disconnect.signal };
          const params = toResponseParams(request, toolAuthorizations);
          const stream = await openai.responses.create(params, options);
          const events = stream[Symbol.asyncIterator]();
          const response = await firstResponse(events);
          const close = () => disconnect.abort();
          return {
            outcome: 'accepted',
            responseId: response.id,
            state: toEngineRunState(response),
            stream: { events: toEngineEvents(events), close },
          };
        });
      } catch (error) {
        disconnect.abort();
        const errorCode = toPromptRefusal(error);
        if (errorCode !== undefined) return { outcome: 'refused', errorCode };
        if (!isRefusal(error)) return { outcome: 'unknown', error: toStartError(error) };
        const lost = findLostStore(error, request.run.overrides?.vectorStores);
        return {
          outcome: 'rejected',
          error: lost ? lostStoreError(lost) : toStartError(error),
          isCallMismatch: isCallMismatch(error),
          isStoreLost: lost !== undefined,
        };
      }
    },

    find: (id, timeoutMs) =>
      findState(timeoutMs, (openai, options) => openai.responses.retrieve(id, {}, options)),

    findRound: (id, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) =>
          toEngineRound(await openai.responses.retrieve(id, { include: stepDetails }, options)),
        'run_not_found',
      ).catch(ignore('run_not_found')),

    async *follow(id, after, signal) {
      const stream = await (await client()).responses.retrieve(
        id,
        { stream: true, starting_after: after },
        { timeout: openStreamMs, signal },
      );
      yield* toEngineEvents(stream[Symbol.asyncIterator]());
    },

    cancel: (id, timeoutMs) =>
      findState(timeoutMs, async (openai, options) => {
        try {
          return await openai.responses.cancel(id, options);
        } catch (error) {
          // The engine refuses to cancel an ended response, but the caller needs its final state.
          if (!cancelRefusals.has((error as { status?: number }).status)) throw error;
          const response = await openai.responses.retrieve(id, {}, options);
          if (response.status === 'queued' || response.status === 'in_progress') {
            throw new AppError('unavailable', { cause: error });
          }
          return response;
        }
      }),

    findOpenCalls: (conversationId, timeoutMs) =>
      call(timeoutMs, async (openai, options) => {
        const newest = { order: 'desc', limit: maxItems } as const;
        return toOpenCalls((await openai.conversations.items.list(conversationId, newest, options)).data);
      }),

    listMessages: (conversationId, { after, limit, order, imageUrls: withUrls = false }, timeoutMs) => {
      const list: Send<MessagePage> = async (openai, options) => {
        const messages: EngineMessage[] = [];
        let lastId = after;
        for (let lists = 0; lists < maxItemLists; lists++) {
          const page = await openai.conversations.items
            .list(
              conversationId,
              {
                order,
                // Tool calls and reasoning are items too, so each further page is larger.
                limit: Math.min(maxItems, (limit + 1) * 2 ** lists),
                ...(lastId !== undefined && { after: lastId }),
                ...(withUrls && { include: imageUrls }),
              },
              options,
            )
            .catch((error) => {
              throw lastId === undefined ? error : toCursorError(error);
            });
          for (const item of page.data) {
            const message = toMessage(item);
            if (message && messages.length === limit) {
              return { messages, next: message, hasMore: true, lastId: messages.at(-1)?.messageId };
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

/** Maximum page size of the engine's item list. */
const maxItems = 100;

/** Maximum number of item pages read for one page of messages. */
const maxItemLists = 5;

/** Timeout of opening a stream, in milliseconds. */
const openStreamMs = 10_000;

/** Status codes with which engines refuse to cancel a response that cannot be cancelled (any more). */
const cancelRefusals: ReadonlySet<number | undefined> = new Set([400, 409]);

type WireEvents = AsyncIterator<OpenAI.Responses.ResponseStreamEvent>;

/** Reads a stream up to the first event that carries the response. */
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
      return {
        sequence,
        delta: {
          ...{ itemId: event.item_id, part: event.content_index, text: event.delta },
          refusal: event.type === 'response.refusal.delta',
        },
      };
    case 'response.output_text.annotation.added': {
      const [annotation] = toAnnotation(event.annotation as EngineAnnotation, 0);
      const { item_id: itemId, content_index: part } = event;
      return { sequence, ...(annotation && { annotation: { itemId, part, annotation } }) };
    }
    case 'response.output_item.added':
      return { sequence, ...toStepChange('started', event.item) };
    case 'response.output_item.done':
      return { sequence, ...toStepChange('finished', event.item) };
    default:
      return 'response' in event && isKnownStatus(event.response.status)
        ? { sequence, state: toEngineRunState(event.response) }
        : { sequence };
  }
}

function toStepChange(change: 'started' | 'finished', item: OpenAI.Responses.ResponseOutputItem) {
  const step = toEngineStep(item);
  return step && { step: { change, ...step } };
}
