import type OpenAI from 'openai';
import { isImage } from '../model/file.ts';
import type { InputMessage, InputPart } from '../model/newMessage.ts';

/** Returns a message as an item for a conversation or a response. */
export const toInputItem = ({ role, parts }: InputMessage): OpenAI.Responses.ResponseInputItem =>
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

/** Returns a part of a user's message: text, an image to see, or a file to read. */
export function toInputPart(part: InputPart): OpenAI.Responses.ResponseInputContent {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text };
    case 'image_url':
      return { type: 'input_image', image_url: part.url, detail: part.detail ?? 'auto' };
    case 'file': {
      const { engineFileId, mediaType } = part.file;
      return isImage(mediaType)
        ? { type: 'input_image', file_id: engineFileId, detail: part.detail ?? 'auto' }
        : { type: 'input_file', file_id: engineFileId };
    }
  }
}
