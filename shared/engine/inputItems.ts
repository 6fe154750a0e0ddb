import type OpenAI from 'openai';
import type { NewMessage, NewMessagePart } from '../model/newMessage.ts';

/** Returns a message as an item for a conversation or a response. */
export const toInputItem = ({ role, parts }: NewMessage): OpenAI.Responses.ResponseInputItem =>
  role === 'user'
    ? { type: 'message', role, content: parts.map(toInputPart) }
    : // Engines accept an assistant's message without the id and status that the type asks for.
      ({
        type: 'message',
        role,
        content: parts.map((part) => ({
          type: 'output_text',
          text: part.type === 'text' ? part.text : '',
          annotations: [],
        })),
      } as unknown as OpenAI.Responses.ResponseOutputMessage);

const toInputPart = (part: NewMessagePart): OpenAI.Responses.ResponseInputContent =>
  part.type === 'text'
    ? { type: 'input_text', text: part.text }
    : { type: 'input_image', image_url: part.url, detail: part.detail ?? 'auto' };
