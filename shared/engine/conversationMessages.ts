import type OpenAI from 'openai';
import { AppError, fieldError } from '../errors.ts';
import type { InputMessage } from '../model/newMessage.ts';
import type { EngineClient } from './client.ts';
import { toCursorError, toPromptRefusal, toStartError } from './engineErrors.ts';
import { toInputItem } from './inputItems.ts';
import { type EngineMessage, imageUrls, toMessage } from './messages.ts';

/** Maximum number of reasoning items looked for before a message. */
const maxReasoning = 10;

/** The part of the engine that changes and reads single messages of a conversation. Message ids are the engine's. */
export interface ConversationMessages {
  /**
   * Adds messages at the end of a conversation.
   * @param messages at most 20.
   * @throws {AppError} also invalid_request when the engine refuses a message, and thread_busy when a run is active.
   */
  appendMessages(
    conversationId: string,
    messages: readonly InputMessage[],
    timeoutMs: number,
  ): Promise<readonly EngineMessage[]>;
  /** @throws {AppError} also message_not_found. */
  findMessage(conversationId: string, itemId: string, timeoutMs: number): Promise<EngineMessage>;
  /** Removes a message with the reasoning that led to it. @throws {AppError} also message_not_found. */
  removeMessage(conversationId: string, itemId: string, timeoutMs: number): Promise<void>;
}

export function createConversationMessages(call: EngineClient['call']): ConversationMessages {
  const asMessage = (item: OpenAI.Conversations.ConversationItem): EngineMessage => {
    const message = toMessage(item);
    if (!message) throw new AppError('message_not_found');
    return message;
  };
  return {
    appendMessages: (conversationId, messages, timeoutMs) =>
      call(timeoutMs, async (openai, options) => {
        const items = messages.map(toInputItem);
        const added = openai.conversations.items.create(
          conversationId,
          { items, include: imageUrls },
          options,
        );
        return (await added.catch(failAppend)).data.map(asMessage);
      }),

    findMessage: (conversationId, itemId, timeoutMs) =>
      call(
        timeoutMs,
        async (openai, options) =>
          asMessage(
            await openai.conversations.items.retrieve(
              itemId,
              { conversation_id: conversationId, include: imageUrls },
              options,
            ),
          ),
        'message_not_found',
      ),

    removeMessage: (conversationId, itemId, timeoutMs) =>
      call(
        timeoutMs,
        async ({ conversations: { items } }, options) => {
          const conversation = { conversation_id: conversationId };
          asMessage(await items.retrieve(itemId, conversation, options));
          const before = { after: itemId, order: 'desc', limit: maxReasoning } as const;
          const { data } = await items.list(conversationId, before, options).catch((error) => {
            throw toCursorError(error);
          });
          for (const item of data) {
            // Engines refuse reasoning without the message that it led to.
            if (item.type !== 'reasoning') break;
            await items.delete(item.id, conversation, options);
          }
          await items.delete(itemId, conversation, options);
        },
        'message_not_found',
      ),
  };
}

/** Translates the error of an append, which may also find the conversation missing or locked, as a start may. */
function failAppend(error: unknown): never {
  if (toPromptRefusal(error) === undefined) throw toStartError(error);
  throw fieldError('Content', 'The engine refused the content of a message.');
}
