import type { NewMessagePart } from '../../shared/model/newMessage.ts';
import { readMessage } from '../../shared/openai/messageParams.ts';
import type { LabelledMessage } from '../../shared/threads/messageRecords.ts';
import { NotBrought, refuseInWords, toWord } from './notBrought.ts';
import { isObject, type JsonObject } from './readExport.ts';

/** A message to be added, which carries no files. */
export interface BroughtMessage extends Omit<LabelledMessage, 'parts'> {
  readonly parts: readonly Extract<NewMessagePart, { type: 'text' | 'image_url' }>[];
}

/** How an export is read. */
export interface ReadOptions {
  /** Leave out what refers to files, instead of refusing the object that has it. */
  readonly withoutFiles: boolean;
  /** Notes that a part of an object is left out. */
  readonly leaveOut: (what: string) => void;
}

/** Properties of a message that are brought, or that mean nothing here. */
const messageProperties = new Set([
  ...['id', 'object', 'created_at', 'thread_id', 'role', 'content', 'attachments', 'file_ids', 'metadata'],
  ...['assistant_id', 'run_id', 'status', 'completed_at', 'incomplete_at', 'incomplete_details'],
]);

/**
 * Translates an exported message.
 * @returns undefined for a message without content, which is left out.
 * @throws {NotBrought} naming what is not known or not possible here.
 */
export function toMessage(value: JsonObject, options: ReadOptions): BroughtMessage | undefined {
  const { role, content, status, attachments, file_ids: fileIds, metadata } = value;
  if (status === 'in_progress') throw new NotBrought('it was still being written when it was exported');
  if (status === 'incomplete') options.leaveOut('that a message is incomplete');
  for (const [name, files] of Object.entries({ attachments, file_ids: fileIds })) {
    if (isEmpty(files)) continue;
    if (!options.withoutFiles) throw new NotBrought(`${name}: these files do not exist here`);
    options.leaveOut(`${name} of a message`);
  }
  for (const [name, unknown] of Object.entries(value)) {
    if (!messageProperties.has(name) && !isEmpty(unknown)) options.leaveOut(`${toWord(name)} of a message`);
  }
  const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  if (!Array.isArray(parts)) throw new NotBrought('content: neither text nor a list of parts');
  const known = parts.flatMap((part, index) => toPart(part, `content[${index}]`, options));
  const filled = known.filter((part) => part.type !== 'text' || part.text !== '');
  if (filled.length === 0) {
    options.leaveOut('a message without content');
    return undefined;
  }
  const message = refuseInWords(() => readMessage({ role, content: filled, metadata }, ''));
  const withoutFiles = message.parts.flatMap((one) =>
    one.type === 'text' || one.type === 'image_url' ? one : [],
  );
  return { ...message, parts: withoutFiles };
}

type Part =
  | { readonly type: 'text'; readonly text: unknown }
  | { readonly type: 'image_url'; readonly image_url: unknown };

/** Translates a part of a message's content, as a list route shows it, into one of a create. */
function toPart(part: unknown, place: string, options: ReadOptions): Part[] {
  const type = isObject(part) ? part['type'] : undefined;
  if (!isObject(part)) throw new NotBrought(`${place}: not an object`);
  if (type === 'text') {
    const { text } = part;
    if (!isObject(text)) return [{ type, text }];
    if (!isEmpty(text['annotations'])) options.leaveOut('annotations of a text');
    return [{ type, text: text['value'] }];
  }
  if (type === 'refusal') {
    options.leaveOut('that a text is a refusal');
    return [{ type: 'text', text: part['refusal'] }];
  }
  if (type === 'image_url') return [{ type, image_url: part['image_url'] }];
  if (type === 'image_file') {
    if (!options.withoutFiles) throw new NotBrought(`${place}.image_file: this file does not exist here`);
    options.leaveOut('an image_file of a message');
    return [];
  }
  throw new NotBrought(`${place}.type: unknown type ${toWord(type)}`);
}

/** Returns whether a property says nothing. */
export const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0);
