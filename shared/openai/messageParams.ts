import type { NewMessagePart } from '../model/newMessage.ts';
import type { LabelledMessage } from '../threads/messageRecords.ts';
import { invalidType, list, metadata, object, oneOf, optional, type Reader, text } from './readers.ts';
import { badRequest, notOffered } from './wireError.ts';

/** Maximum length of a text, in characters, as in the original API. */
const maxTextLength = 256_000;

const contentText = text({ min: 1, max: maxTextLength });

/** Refuses a parameter that this service does not offer, unless it is empty. */
export const absent =
  (why?: string): Reader<undefined> =>
  (value, param) => {
    const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
    if (!empty) throw notOffered(param, why);
    return undefined;
  };

const readPart: Reader<NewMessagePart> = (value, param) => {
  const type = (value as { type?: unknown } | null)?.type;
  if (type === 'text') {
    const part = object({ type: oneOf('text'), text: contentText })(value, param);
    return { type, text: part.text };
  }
  if (type === 'image_url') {
    const { image_url } = object({ type: oneOf('image_url'), image_url: readImageUrl })(value, param);
    const { url, detail } = image_url;
    return { type, url, ...(detail && { detail }) };
  }
  if (type === 'image_file') throw notOffered(`${param}.image_file`);
  oneOf('text', 'image_url')(type, `${param}.type`);
  throw invalidType(param, 'a content part', value);
};

const readUrl: Reader<string> = (value, param) => {
  const url = text({ min: 1, max: 8192 })(value, param);
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw badRequest(`Invalid '${param}': expected an http or https URL.`, param, 'invalid_value');
  }
  return url;
};

const readImageUrl = object({ url: readUrl, detail: optional(oneOf('auto', 'low', 'high')) });

const readContent: Reader<readonly NewMessagePart[]> = (value, param) =>
  typeof value === 'string'
    ? [{ type: 'text', text: contentText(value, param) }]
    : list(readPart, { min: 1, max: 100 })(value, param);

const messageObject = object({
  role: oneOf('user', 'assistant'),
  content: readContent,
  attachments: absent(),
  metadata: optional(metadata),
});

/** Reads a message to add to a thread. */
export const readMessage: Reader<LabelledMessage> = (value, param) => {
  const { role, content, metadata: labels } = messageObject(value, param);
  const imageIndex = content.findIndex(({ type }) => type !== 'text');
  if (role === 'assistant' && imageIndex !== -1) {
    const part = `${param ? `${param}.` : ''}content[${imageIndex}]`;
    throw badRequest(`Invalid '${part}': a message of the assistant has text only.`, part, 'invalid_value');
  }
  return { role, parts: content, metadata: labels };
};
