import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { isThreadId } from '../../shared/model/ids.ts';
import type { Metadata } from '../../shared/model/metadata.ts';
import { metadata, optional } from '../../shared/openai/readers.ts';
import { NotBrought, refuseInWords, toWord } from './notBrought.ts';
import type { Export, ExportedObject } from './readExport.ts';
import { type Direction, directionOf, toDate } from './times.ts';
import { dropResources } from './toAssistant.ts';
import { type BroughtMessage, isEmpty, type ReadOptions, toMessage } from './toMessage.ts';

/** A message of an export, as it is added to a conversation. */
export interface ImportedMessage {
  /** For reports. */
  readonly name: string;
  readonly createdAt: Date;
  readonly message: BroughtMessage;
}

/** A thread of an export. */
export interface ImportedThread {
  readonly threadId: string;
  readonly createdAt: Date;
  readonly metadata: Metadata;
  /** Oldest first. */
  readonly messages: readonly ImportedMessage[];
  /** Of the ids and times of the messages: tells whether a thread has been imported from the same export. */
  readonly fingerprint: string;
}

/** What the files have of a thread. */
export interface ThreadParts {
  readonly threadId: string;
  readonly objects: ExportedObject[];
  readonly messages: ExportedObject[];
  /** Whether a page without `has_more` is among its pages of messages, or there are none. */
  isComplete: boolean;
  /** Whether a run of it was active. */
  isActive: boolean;
}

/** Statuses of runs that have not ended. */
const activeStatuses: readonly unknown[] = ['queued', 'in_progress', 'requires_action', 'cancelling'];

/** Groups messages and runs by their threads, in the order of the files. */
export function groupThreads({ objects, pages }: Export): ThreadParts[] {
  const threads = new Map<string, ThreadParts>();
  const open = (id: unknown): ThreadParts | undefined => {
    if (!isThreadId(id as string | undefined)) return undefined;
    const threadId = id as string;
    const known = threads.get(threadId);
    if (known) return known;
    const parts = { threadId, objects: [], messages: [], isComplete: true, isActive: false };
    threads.set(threadId, parts);
    return parts;
  };
  for (const exported of objects) {
    const { kind, value } = exported;
    if (kind === 'thread') open(value['id'])?.objects.push(exported);
    if (kind === 'thread.message') open(value['thread_id'])?.messages.push(exported);
    if (kind === 'thread.run' && activeStatuses.includes(value['status'])) {
      const thread = open(value['thread_id']);
      if (thread) thread.isActive = true;
    }
  }
  const ofMessages = pages.filter(({ first }) => first?.kind === 'thread.message');
  for (const [threadId, own] of Map.groupBy(ofMessages, ({ first }) => first?.value['thread_id'])) {
    const thread = open(threadId);
    if (thread) thread.isComplete = own.some(({ hasMore }) => !hasMore);
  }
  return [...threads.values()].filter((thread) => thread.objects.length + thread.messages.length > 0);
}

/** @param order of messages whose times do not tell it. */
export interface ThreadOptions extends ReadOptions {
  readonly order: Direction;
  /** Returns the order of the messages in a file, as far as the times in it tell. */
  readonly orderOf: (file: string) => Direction;
}

/** Properties of a thread that are brought, or that mean nothing here. */
const threadProperties = ['id', 'object', 'created_at', 'metadata', 'tool_resources'];

/** Translates a thread with its messages. @throws {NotBrought} */
export function toThread(parts: ThreadParts, options: ThreadOptions): ImportedThread {
  const { threadId, isComplete, isActive } = parts;
  if (isActive) throw new NotBrought('a run of it was active when it was exported');
  if (!isComplete) throw new NotBrought('messages are missing: its last page has has_more');
  const [exported] = withoutRepetitions(parts.objects, 'the thread');
  const messages = inOrder(withoutRepetitions(parts.messages, 'a message'), options).flatMap((one) =>
    toImported(one, options),
  );
  const { value } = exported ?? {};
  if (!value) options.leaveOut('the metadata of a thread that is not in the files itself');
  for (const [name, property] of Object.entries(value ?? {})) {
    if (!threadProperties.includes(name) && !isEmpty(property))
      options.leaveOut(`${toWord(name)} of a thread`);
  }
  dropResources(value?.['tool_resources'], options);
  const createdAt = value ? toDate(value['created_at']) : messages[0]?.createdAt;
  if (!createdAt) throw new NotBrought('it has no time');
  const ids = messages.map(({ name, createdAt: at }) => [name, at]);
  return {
    threadId,
    createdAt,
    metadata: refuseInWords(() => optional(metadata)(value?.['metadata'], 'metadata')) ?? {},
    messages,
    fingerprint: createHash('sha256').update(JSON.stringify(ids)).digest('base64url'),
  };
}

function toImported({ value, place }: ExportedObject, options: ThreadOptions): ImportedMessage[] {
  const { id, created_at: created } = value;
  const name = typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? id : place;
  try {
    const message = toMessage(value, options);
    return message ? [{ name, createdAt: toDate(created), message }] : [];
  } catch (error) {
    throw error instanceof NotBrought ? new NotBrought(`message ${name}: ${error.message}`) : error;
  }
}

/** Returns objects without those that are there twice, as where pages overlap. @throws {NotBrought} if they differ. */
export function withoutRepetitions(objects: readonly ExportedObject[], what: string): ExportedObject[] {
  const seen = new Map<unknown, ExportedObject>();
  return objects.filter((exported) => {
    const { id } = exported.value;
    const before = id === undefined ? undefined : seen.get(id);
    seen.set(id, exported);
    if (!before) return true;
    if (isDeepStrictEqual(before.value, exported.value)) return false;
    throw new NotBrought(`${what} is in the files twice, and differs: ${before.place}, ${exported.place}`);
  });
}

const timeOf = ({ value }: ExportedObject): number => Number(value['created_at']);

/** Returns the order of messages as the files have them, by their times. */
export const directionOfMessages = (messages: readonly ExportedObject[]): Direction =>
  directionOf(messages.map(timeOf));

/** Sorts messages, oldest first. Those of the same second stay in the order of the files. */
function inOrder(messages: ExportedObject[], { order, orderOf }: ThreadOptions): ExportedObject[] {
  const [first] = messages;
  if (!first || messages.length === 1) return messages;
  const direction =
    directionOfMessages(messages) || orderOf(first.file) || order || directionOfRoles(messages);
  if (direction === 0) {
    throw new NotBrought('its messages have the same time: give their order in the files with --order');
  }
  const oldestFirst = direction === 1 ? messages : messages.toReversed();
  return oldestFirst.toSorted((a, b) => timeOf(a) - timeOf(b));
}

/** A conversation begins with a user's message. */
function directionOfRoles(messages: readonly ExportedObject[]): Direction {
  const isUser = (message: ExportedObject | undefined) => Number(message?.value['role'] === 'user');
  return (isUser(messages[0]) - isUser(messages.at(-1))) as Direction;
}
