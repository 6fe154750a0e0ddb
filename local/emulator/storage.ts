import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Conversation, ResponseRecord } from './types.ts';

/** Where conversations and responses outlive the process. Each write is complete before it returns. */
export interface Storage {
  conversations(): Conversation[];
  responses(): ResponseRecord[];
  saveConversation(conversation: Conversation): void;
  saveResponse(record: ResponseRecord): void;
  deleteConversation(id: string): void;
  clear(): void;
}

const nothing = () => undefined;

/** One JSON file each below `dataDir`; without it nothing is kept. */
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
  const conversations = openFolder<Conversation>(join(dataDir, 'conversations'));
  const responses = openFolder<ResponseRecord>(join(dataDir, 'responses'));
  return {
    conversations: conversations.readAll,
    responses: responses.readAll,
    saveConversation: conversations.save,
    saveResponse: responses.save,
    deleteConversation: conversations.remove,
    clear: () => {
      conversations.clear();
      responses.clear();
    },
  };
}

function openFolder<T extends { id: string }>(folder: string) {
  mkdirSync(folder, { recursive: true });
  const pathOf = (id: string) => join(folder, `${id}.json`);
  const names = () => readdirSync(folder).filter((name) => name.endsWith('.json'));
  return {
    readAll: () => names().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T),
    save: (value: T) => {
      // A rename replaces the file whole, so a process killed in the middle leaves the former state.
      writeFileSync(`${pathOf(value.id)}.tmp`, JSON.stringify(value));
      renameSync(`${pathOf(value.id)}.tmp`, pathOf(value.id));
    },
    remove: (id: string) => rmSync(pathOf(id), { force: true }),
    clear: () => {
      for (const name of names()) rmSync(join(folder, name), { force: true });
    },
  };
}
