import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Contents, folderContents, memoryContents } from './contents.ts';
import type { FileRecord } from './files.ts';
import type { Conversation, Item, ResponseRecord } from './types.ts';
import type { VectorStoreRecord } from './vectorStores.ts';

/** Persistent storage. Writes are synchronous. */
export interface Storage {
  conversations(): Conversation[];
  saveConversation(conversation: Conversation): void;
  deleteConversation(id: string): void;
  responses: Collection<ResponseRecord>;
  files: Collection<FileRecord>;
  vectorStores: Collection<VectorStoreRecord>;
  contents: Contents;
  clear(): void;
}

/** Records of one kind. */
export interface Collection<T> {
  readAll(): T[];
  save(value: T): void;
  remove(id: string): void;
  clear(): void;
}

const nothing = () => undefined;
const noCollection = { readAll: () => [], save: nothing, remove: nothing, clear: nothing };

/**
 * Opens the storage in `dataDir`: one JSON file for each record, a file with the items of each conversation, one per
 * line, and a file with the bytes of each uploaded file. Without `dataDir`, stores nothing but bytes, in memory.
 */
export function openStorage(dataDir: string | undefined): Storage {
  if (dataDir === undefined) {
    const contents = memoryContents();
    return {
      conversations: () => [],
      saveConversation: nothing,
      deleteConversation: nothing,
      responses: noCollection,
      files: noCollection,
      vectorStores: noCollection,
      contents,
      clear: contents.clear,
    };
  }
  const conversations = openFolder<Omit<Conversation, 'items'> & { itemCount: number }>(
    join(dataDir, 'conversations'),
  );
  const items = openItems(join(dataDir, 'conversations'));
  const stored = {
    responses: openFolder<ResponseRecord>(join(dataDir, 'responses')),
    files: openFolder<FileRecord>(join(dataDir, 'files')),
    vectorStores: openFolder<VectorStoreRecord>(join(dataDir, 'vector-stores')),
    contents: folderContents(join(dataDir, 'contents')),
  };
  return {
    ...stored,
    conversations: () =>
      conversations.readAll().map(({ itemCount, ...conversation }) => {
        return { ...conversation, items: items.read(conversation.id, itemCount) };
      }),
    saveConversation: (conversation) => {
      const { items: all, ...header } = conversation;
      items.save(conversation);
      conversations.save({ ...header, itemCount: all.length });
    },
    deleteConversation: (id) => {
      conversations.remove(id);
      items.remove(id);
    },
    clear: () => {
      for (const part of [conversations, items, ...Object.values(stored)]) part.clear();
    },
  };
}

/** Stores the items of conversations. Appends new items, and rewrites the file only after a deletion. */
function openItems(folder: string) {
  const writtenCounts = new Map<string, number>();
  const pathOf = (id: string) => join(folder, `${id}.items`);
  const toLines = (items: readonly Item[]) => items.map((item) => `${JSON.stringify(item)}\n`).join('');
  return {
    /** Reads the first `count` items and drops others, left by a process killed before it saved the conversation. */
    read: (id: string, count: number): Item[] => {
      if (!existsSync(pathOf(id))) return [];
      const lines = readFileSync(pathOf(id), 'utf8').split('\n').slice(0, -1);
      const items = lines.slice(0, count).map((line) => JSON.parse(line) as Item);
      replaceFile(pathOf(id), toLines(items));
      writtenCounts.set(id, items.length);
      return items;
    },
    save: ({ id, items }: Conversation): void => {
      const written = writtenCounts.get(id) ?? 0;
      if (items.length > written) appendFileSync(pathOf(id), toLines(items.slice(written)));
      if (items.length < written) replaceFile(pathOf(id), toLines(items));
      writtenCounts.set(id, items.length);
    },
    remove: (id: string) => {
      writtenCounts.delete(id);
      rmSync(pathOf(id), { force: true });
    },
    clear: () => {
      writtenCounts.clear();
      for (const name of readdirSync(folder).filter((file) => file.endsWith('.items')))
        rmSync(join(folder, name), { force: true });
    },
  };
}

/** Replaces a file atomically. */
function replaceFile(path: string, content: string): void {
  writeFileSync(`${path}.tmp`, content);
  renameSync(`${path}.tmp`, path);
}

function openFolder<T extends { id: string }>(folder: string): Collection<T> {
  mkdirSync(folder, { recursive: true });
  const pathOf = (id: string) => join(folder, `${id}.json`);
  const names = () => readdirSync(folder).filter((name) => name.endsWith('.json'));
  return {
    readAll: () => names().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T),
    save: (value: T) => replaceFile(pathOf(value.id), JSON.stringify(value)),
    remove: (id: string) => rmSync(pathOf(id), { force: true }),
    clear: () => {
      for (const name of names()) rmSync(join(folder, name), { force: true });
    },
  };
}
