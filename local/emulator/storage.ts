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
import type { Conversation, Item, ResponseRecord } from './types.ts';

/** Persistent storage of conversations and responses. Writes are synchronous. */
export interface Storage {
  conversations(): Conversation[];
  responses(): ResponseRecord[];
  saveConversation(conversation: Conversation): void;
  saveResponse(record: ResponseRecord): void;
  deleteConversation(id: string): void;
  clear(): void;
}

const nothing = () => undefined;

/**
 * Opens the storage in `dataDir`: one JSON file for each conversation and response, and a file with the items of each
 * conversation, one per line. Without `dataDir`, stores nothing.
 */
export function openStorage(dataDir: string | undefined): Storage {
  if (dataDir === undefined) {
    return {
      conversations: () => [],
      responses: () => [],
      saveConversation: nothing,
      saveResponse: nothing,
      deleteConversation: nothing,
      clear: nothing,
    };
  }
  const conversations = openFolder<Omit<Conversation, 'items'> & { itemCount: number }>(
    join(dataDir, 'conversations'),
  );
  const items = openItems(join(dataDir, 'conversations'));
  const responses = openFolder<ResponseRecord>(join(dataDir, 'responses'));
  return {
    conversations: () =>
      conversations.readAll().map(({ itemCount, ...conversation }) => {
        return { ...conversation, items: items.read(conversation.id, itemCount) };
      }),
    responses: responses.readAll,
    saveConversation: (conversation) => {
      const { items: all, ...header } = conversation;
      items.save(conversation);
      conversations.save({ ...header, itemCount: all.length });
    },
    saveResponse: responses.save,
    deleteConversation: (id) => {
      conversations.remove(id);
      items.remove(id);
    },
    clear: () => {
      conversations.clear();
      items.clear();
      responses.clear();
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

function openFolder<T extends { id: string }>(folder: string) {
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
