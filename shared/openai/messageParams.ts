import { detectionBytes, detectMediaType } from '../model/mediaType.ts';
import type { NewAttachment, NewMessagePart } from '../model/newMessage.ts';
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
  if (type === 'image_file') {
    const { image_file } = object({ type: oneOf('image_file'), image_file: readImageFile })(value, param);
    const { file_id: fileId, detail } = image_file;
    return { type, fileId, ...(detail && { detail }) };
  }
  oneOf('text', 'image_url', 'image_file')(type, `${param}.type`);
  throw invalidType(param, 'a content part', value);
};

/** An image within its URL. */
const dataUrl = /^data:image\/(?:png|jpeg|gif|webp);base64,([A-Za-z0-9+/]+={0,2})$/;

/**
 * Reads the URL of an image. The engine reads it, never this service, and no address of a private network: only hosts with
 * a public name are accepted.
 */
const readUrl: Reader<string> = (value, param) => {
  const invalid = (expected: string) =>
    badRequest(`Invalid '${param}': expected ${expected}.`, param, 'invalid_value');
  if (typeof value === 'string' && value.startsWith('data:')) {
    const [, content] = dataUrl.exec(value) ?? [];
    const head = content && Buffer.from(content.slice(0, 2 * detectionBytes), 'base64');
    if (!head || !detectMediaType(head, 'image.png'))
      throw invalid('a PNG, JPEG, GIF or WebP image in base64');
    return value;
  }
  const url = text({ min: 1, max: 8192 })(value, param);
  const { protocol = '', hostname = '', username, password } = URL.parse(url) ?? {};
  if (!/^https?:$/.test(protocol)) throw invalid('an http, https or data URL');
  // An address of IPv4 ends with a number, one of IPv6 with a bracket.
  const isPublic =
    /\.[a-z][a-z0-9-]*\.?$/i.test(hostname) && !/\.(?:local|internal|localhost)\.?$/i.test(hostname);
  if (!isPublic || username || password) throw invalid('the URL of a public host');
  return url;
};

const readDetail = optional(oneOf('auto', 'low', 'high'));
const readImageUrl = object({ url: readUrl, detail: readDetail });

/** Reads the id of a file; whether there is one is found out later. */
export const readFileId: Reader<string> = text({ min: 1, max: 512 });

const readImageFile = object({ file_id: readFileId, detail: readDetail });

/** Maximum number of files that a message carries, as in the project API. */
const maxAttachments = 10;

const readAttachmentTool = object({ type: oneOf('file_search', 'code_interpreter') });

const readAttachment: Reader<NewAttachment> = (value, param) => {
  const { file_id: fileId, tools = [] } = object({
    file_id: readFileId,
    tools: optional(list(readAttachmentTool, { max: 2 })),
  })(value, param);
  return { fileId, tools: tools.map(({ type }) => type) };
};

const readContent: Reader<readonly NewMessagePart[]> = (value, param) =>
  typeof value === 'string'
    ? [{ type: 'text', text: contentText(value, param) }]
    : list(readPart, { min: 1, max: 100 })(value, param);

const messageObject = object({
  role: oneOf('user', 'assistant'),
  content: readContent,
  attachments: optional(list(readAttachment, { max: maxAttachments })),
  file_ids: absent("is of version 1 of the API: use 'attachments'"),
  metadata: optional(metadata),
});

/** Reads a message to add to a thread. */
export const readMessage: Reader<LabelledMessage> = (value, param) => {
  const { role, content, attachments = [], metadata: labels } = messageObject(value, param);
  const prefix = param ? `${param}.` : '';
  const imageIndex = content.findIndex(({ type }) => type !== 'text');
  if (role === 'assistant' && imageIndex !== -1) {
    const part = `${prefix}content[${imageIndex}]`;
    throw badRequest(`Invalid '${part}': a message of the assistant has text only.`, part, 'invalid_value');
  }
  if (role === 'assistant' && attachments.length > 0) {
    throw notOffered(`${prefix}attachments`, 'is for messages of users');
  }
  return { role, parts: content, metadata: labels, ...(attachments.length > 0 && { attachments }) };
};
