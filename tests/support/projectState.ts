import type { TestEngine } from './engine.ts';
import type { TestResponse } from './service.ts';
import { rowsOf } from './table.ts';

/** Reads all items of a conversation from the engine. */
async function itemsOf(engine: TestEngine, conversationId: string): Promise<{ id: string }[]> {
  const url = `${engine.url}/conversations/${conversationId}/items?limit=100`;
  const response = await fetch(url, { headers: { Authorization: 'Bearer test' } });
  return ((await response.json()) as { data: { id: string }[] }).data;
}

export type ProjectState = Awaited<ReturnType<typeof stateOf>>;

/** Reads all data of a project from the store and the engine. */
export async function stateOf(engine: TestEngine, projectId: string) {
  const rows = await rowsOf(projectId);
  const conversations = rows.flatMap(({ conversationId }) =>
    conversationId ? [String(conversationId)] : [],
  );
  const items = await Promise.all(conversations.map((conversation) => itemsOf(engine, conversation)));
  const runs = await engine.runs();
  const ownRuns = runs.filter(({ conversation }) => conversations.includes(String(conversation)));
  return { rows, conversations, items, runs: ownRuns };
}

/** Returns the engine's ids in a state, which must never leave the service. */
export const engineIds = ({ conversations, items, runs }: ProjectState): string[] => [
  ...conversations,
  ...items.flat().map(({ id }) => id),
  ...runs.map(({ id }) => id),
];

/** Returns everything in a response that a client can see, with JSON escapes decoded. */
export const visible = ({ text, headers }: TestResponse): string =>
  [JSON.stringify([...headers]), text].join('\n').replaceAll('\\n', '\n');
