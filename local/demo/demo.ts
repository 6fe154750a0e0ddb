import { readFile } from 'node:fs/promises';
import type { Config } from '../../shared/config.ts';
import { createEngineClient } from '../../shared/engine/client.ts';
import { createEngine } from '../../shared/engine/engine.ts';
import { parseProjects } from '../../shared/projects/projects.ts';
import { openFollowUpQueue } from '../../shared/storage/followUpQueue.ts';
import { createProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { createThreadStore } from '../../shared/storage/threadStore.ts';

import { type Signer, signToken } from '../issuer.ts';

export const demoProjectId = '123e4567-e89b-12d3-a456-426614174000';
export const demoThreadId = 'thread_abc123';

/** Signs a token for the demo project, valid for 24 hours. */
export const signDemoToken = (signer: Signer): Promise<string> =>
  signToken(signer, { sub: 'demo-user', projects: [demoProjectId] }, 24 * 3600);

/** Adds the demo project and its thread to the store, for the documented examples. Keeps existing data. */
export async function applyDemo(config: Config): Promise<void> {
  const projects = await openTable(config.tables, 'projects');
  const threads = await openTable(config.tables, 'threads');
  // In Azure, Bicep creates tables and queues.
  if (config.tables.connectionString !== undefined) {
    await Promise.all([projects.createTable(), threads.createTable()]);
  }
  if (config.queues.connectionString !== undefined) {
    await (await openFollowUpQueue(config.queues)).createIfNotExists();
  }
  const store = createProjectStore(async () => projects);
  const records = JSON.parse(await readFile(new URL('./projects.json', import.meta.url), 'utf8'));
  const [assistantId = ''] = config.assistants.keys();
  for (const project of parseProjects(records, new Map([['asst_xyz789', true]]))) {
    // With custom assistants, the demo project uses the first one.
    const known = config.assistants.has(project.assistantId);
    await store.put(known ? project : { ...project, assistantId });
  }
  const threadStore = createThreadStore(async () => threads);
  const present = await threadStore.find({ projectId: demoProjectId, threadId: demoThreadId });
  // A store of an older version may have no index entry.
  if (present) return void (await threadStore.addToIndex(present.value));
  const labels = { projectId: demoProjectId, threadId: demoThreadId };
  const conversationId = await createEngine(createEngineClient(config.engine)).openConversation(
    labels,
    20_000,
  );
  await threadStore.add({
    projectId: demoProjectId,
    threadId: demoThreadId,
    createdAt: new Date(),
    conversationId,
  });
}
