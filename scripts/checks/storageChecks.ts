import type { Config } from '../../shared/config.ts';
import { withTimeout } from '../../shared/deadline.ts';
import { countStoresLeftOut } from '../../shared/engine/responseParams.ts';
import type { FollowUp } from '../../shared/model/followUp.ts';
import type { Project } from '../../shared/model/project.ts';
import { openFollowUpQueue } from '../../shared/storage/followUpQueue.ts';
import { createProjectStore, type ProjectStore } from '../../shared/storage/projectStore.ts';
import { openTable } from '../../shared/storage/tables.ts';
import { CheckError, type Checklist } from './checklist.ts';

/** Timeout of a check, in milliseconds: a token for storage may take `az` some seconds. */
const storageMs = 30_000;

/** A row that belongs to no project: `doctor` is no thread's partition. */
const probe = { partitionKey: 'doctor', rowKey: 'doctor' };

/** A follow-up of a run that is not there. */
const unknownRun: FollowUp = {
  kind: 'run',
  projectId: 'doctor',
  threadId: 'thread_doctor',
  runId: 'run_doctor',
  attempt: 0,
};

/** Checks tables and queue. @returns the projects, as far as they can be read. */
export async function checkStorage(
  list: Checklist,
  { tables, queues, assistants }: Config,
): Promise<Project[]> {
  list.heading(`Table storage ${tables.endpoint ?? '(connection string)'}`);
  const projects = await list.check('table "projects": read', async () => {
    const table = await openTable(tables, 'projects');
    const store = createProjectStore(async () => table);
    return withTimeout(storageMs, async () => withDocuments(store, await store.list(), assistants));
  });
  if (projects) {
    await list.check(`${projects.value.length} project(s): their assistants are in ASSISTANTS`, async () => {
      const lost = projects.value.filter(({ assistantId }) => !assistants.has(assistantId));
      if (lost.length === 0) return;
      const names = lost.map(({ projectId, assistantId }) => `${projectId} has ${assistantId}`);
      throw new CheckError(`not in ASSISTANTS: ${names.join(', ')}`, {
        advice: 'the ids in ASSISTANTS, and the projects\' `assistantId` ("npm run projects -- apply").',
      });
    });
    warnOfStores(list, projects.value, assistants);
  }
  await list.check('table "threads": write, read and delete', async () => {
    const table = await openTable(tables, 'threads');
    await withTimeout(storageMs, async (abortSignal) => {
      await table.upsertEntity(probe, 'Replace', { abortSignal });
      await table.getEntity(probe.partitionKey, probe.rowKey, { abortSignal });
      await table.deleteEntity(probe.partitionKey, probe.rowKey, { abortSignal });
    });
  });
  list.heading(`Queue storage ${queues.endpoint ?? '(connection string)'}`);
  await list.check('queue "runs": send a message and delete it', async () => {
    const queue = await openFollowUpQueue(queues);
    // If it cannot be deleted, the service receives it, finds no such run and drops it.
    const message = Buffer.from(JSON.stringify(unknownRun)).toString('base64');
    await withTimeout(storageMs, async (abortSignal) => {
      const sent = await queue.sendMessage(message, { visibilityTimeout: 60, abortSignal });
      await queue.deleteMessage(sent.messageId, sent.popReceipt, { abortSignal });
    });
  });
  return projects?.value ?? [];
}

type Assistants = Config['assistants'];

const countLeftOut = (project: Project, assistants: Assistants): number =>
  countStoresLeftOut(assistants.get(project.assistantId)?.tools ?? [], project);

/** Adds the vector stores of documents where they may be one too many for a search; each takes a round trip. */
async function withDocuments(
  store: ProjectStore,
  projects: readonly Project[],
  assistants: Assistants,
): Promise<Project[]> {
  const all: Project[] = [];
  for (const project of projects) {
    const isFull = countLeftOut({ ...project, documentStoreId: 'unknown' }, assistants) > 0;
    const documentStoreId = isFull ? await store.findDocumentStore(project.projectId) : undefined;
    all.push({ ...project, ...(documentStoreId !== undefined && { documentStoreId }) });
  }
  return all;
}

/** Warns of vector stores that are not searched. That may be meant: documents of editors displace what is configured. */
function warnOfStores(list: Checklist, projects: readonly Project[], assistants: Assistants): void {
  const leftOut = projects.flatMap((project) => {
    const count = countLeftOut(project, assistants);
    return count > 0 ? [`${count} of ${project.projectId}`] : [];
  });
  if (leftOut.length === 0) return;
  list.warn(
    `vector stores that searches leave out: ${leftOut.join(', ')}`,
    "A search covers two: first the project's documents, then its `vectorStoreIds`, then those of its assistant.",
  );
}
