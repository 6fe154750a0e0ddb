import { isDeepStrictEqual } from 'node:util';
import type OpenAI from 'openai';
import type {
  Annotation,
  ContainerFile,
  ContentPart,
  ImageDetail,
  Message,
  MessageAttachment,
} from '../model/message.ts';
import type { InputMessage } from '../model/newMessage.ts';
import type { MessagePart } from '../model/runState.ts';
import { toInputItem } from './inputItems.ts';

/** A message as the engine stores it: its id and those of files are the engine's. */
export interface EngineMessage extends Pick<Message, 'messageId' | 'role' | 'content' | 'refusal'> {
  readonly attachments: readonly MessageAttachment[];
  readonly annotations: readonly Annotation<ContainerFile>[];
  readonly parts: readonly ContentPart[];
}

/** What the engine adds to messages only on request: the URLs of images, which can be as long as the images. */
export const imageUrls: OpenAI.Responses.ResponseIncludable[] = ['message.input_image.image_url'];

/** Returns the message that an item of a conversation is; undefined for other items. */
export function toMessage(item: OpenAI.Conversations.ConversationItem): EngineMessage | undefined {
  if (item.type !== 'message' || (item.role !== 'user' && item.role !== 'assistant')) return undefined;
  const refusals = item.content.flatMap((part) => (part.type === 'refusal' ? part.refusal : []));
  return {
    messageId: item.id,
    role: item.role,
    content: textOf(item.content),
    refusal: refusals.length > 0 ? refusals.join('\n') : undefined,
    attachments: item.content.flatMap(toAttachments),
    annotations: toAnnotations(item.content),
    parts: item.role === 'user' ? toContentParts(item.content) : [],
  };
}

/** Returns whether a message is what the engine makes of an input. @param message with the URLs of its images. */
export function isSameMessage(message: EngineMessage, input: InputMessage): boolean {
  const { messageId } = message;
  const made = toMessage({ ...toInputItem(input), id: messageId } as OpenAI.Conversations.ConversationItem);
  return isDeepStrictEqual(made, message);
}

type Part = OpenAI.Conversations.Message['content'][number];

/** A part of a message, as far as its text is concerned. */
type TextPart = { readonly type: string; readonly text?: string; readonly refusal?: string };

/** Content parts that are text of a message; a reasoning summary, for example, is not. */
const textParts = new Set(['input_text', 'output_text', 'text']);

const separator = '\n';

/** Returns the text and refusal parts of a message that are not empty. */
export const partsOf = (parts: readonly TextPart[]): MessagePart[] =>
  parts
    .map((part) => ({ text: textOfPart(part), refusal: part.type === 'refusal' }))
    .filter(({ text }) => text !== '');

/** Joins the text and refusal parts of a message with line breaks. */
const textOf = (parts: readonly TextPart[]): string =>
  partsOf(parts)
    .map(({ text }) => text)
    .join(separator);

const textOfPart = ({ type, text, refusal }: TextPart): string =>
  (textParts.has(type) ? text : type === 'refusal' ? refusal : '') ?? '';

function toAttachments(part: Part): MessageAttachment[] {
  if (part.type !== 'input_image' && part.type !== 'input_file') return [];
  if (typeof part.file_id !== 'string') return [];
  return [{ fileId: part.file_id, type: part.type === 'input_image' ? 'image' : 'file' }];
}

function toContentParts(content: readonly Part[]): ContentPart[] {
  const parts: ContentPart[] = [];
  for (const part of content) {
    const text = textOfPart(part as TextPart);
    const before = parts.at(-1);
    if (part.type === 'input_image') parts.push(toImage(part));
    else if (text !== '' && before?.type === 'text') {
      parts[parts.length - 1] = { type: 'text', text: before.text + separator + text };
    } else if (text !== '') parts.push({ type: 'text', text });
  }
  return parts;
}

const details: readonly unknown[] = ['auto', 'low', 'high'] satisfies ImageDetail[];

function toImage({ file_id, image_url, detail: given }: Part & { type: 'input_image' }): ContentPart {
  const detail = details.includes(given) ? (given as ImageDetail) : 'auto';
  return typeof file_id === 'string'
    ? { type: 'image_file', fileId: file_id, detail }
    : { type: 'image_url', url: image_url ?? undefined, detail };
}

/** Returns the annotations of all parts, with offsets into the joined text. */
export function toAnnotations(parts: readonly Part[]): Annotation<ContainerFile>[] {
  let offset = 0;
  return parts.flatMap((part) => {
    const start = offset;
    const text = textOfPart(part as TextPart);
    if (text !== '') offset += text.length + separator.length;
    if (part.type !== 'output_text') return [];
    return (part.annotations ?? []).flatMap((annotation) => toAnnotation(annotation, start));
  });
}

export type EngineAnnotation = OpenAI.Responses.ResponseOutputText['annotations'][number];

/** @param start offset of its part in the joined text. */
export function toAnnotation(annotation: EngineAnnotation, start: number): Annotation<ContainerFile>[] {
  switch (annotation.type) {
    case 'file_citation':
      return [
        {
          ...{ type: 'file_citation', citedFileId: annotation.file_id },
          ...{ filename: annotation.filename, index: start + annotation.index },
        },
      ];
    case 'url_citation':
      return [
        {
          type: 'url_citation',
          url: annotation.url,
          title: annotation.title,
          startIndex: start + annotation.start_index,
          endIndex: start + annotation.end_index,
        },
      ];
    case 'container_file_citation':
      return [
        {
          type: 'generated_file',
          fileId: { containerId: annotation.container_id, fileId: annotation.file_id },
          filename: annotation.filename,
          startIndex: start + annotation.start_index,
          endIndex: start + annotation.end_index,
        },
      ];
    default:
      return [];
  }
}
