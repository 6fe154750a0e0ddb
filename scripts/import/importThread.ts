import { setTimeout as wait } from 'node:timers/promises';
import type { EngineMessage } from '../../shared/engine/messages.ts';
import { AppError } from '../../shared/errors.ts';
import { metadataOf } from '../../shared/model/metadata.ts';
import type { ThreadKey } from '../../shared/model/thread.ts';
import type { ImportClaim } from '../../shared/storage/importStore.ts';
import { requireOwn } from './checkPlan.ts';
import type { ImportServices } from './importServices.ts';
import { NotBrought } from './notBrought.ts';
import type { ImportedMessage, ImportedThread } from './readThreads.ts';

/** Timeout of a call of the engine, in milliseconds. */
const callMs = 30_000;

/** Number of messages that the engine adds at once. */
const appendBatch = 20;

/** Page size of reads: with the message after it, as many as the engine returns at once. */
const pageSize = 99;

/** How often a conversation is begun anew after one whose content is not certain. */
const maxConversations = 3;

/** When to look for messages whose addition was not confirmed, in milliseconds after the failure and each look. */
const lookAfterMs = [0, 1_000];

/** Thrown when it is not known what a conversation contains, or will. It is then given up: nothing is added twice. */
class Uncertain extends Error {}

/**
 * Imports a thread: fills a conversation that nobody else knows, compares it with the export, and then adds the thread
 * with the records of its messages at once. An interrupted import leaves no thread; the next one begins anew, in another
 * conversation, because a message that was on its way may still arrive in the first.
 * @throws {NotBrought} when it cannot be brought; {AppError} when engine or store are not available.
 */
export async function importThread(services: ImportServices, imported: ImportedThread): Promise<void> {
  const threadKey = { projectId: services.project.projectId, threadId: imported.threadId };
  let claim = await services.imports.claim(threadKey);
  if (!claim) throw new NotBrought('it has appeared meanwhile');
  try {
    // After the claim, so that of two imports into two projects at least one finds the other.
    await requireOwn(services, imported.threadId);
    for (let conversations = 1; ; conversations++) {
      if (claim.conversationId !== undefined) await removeConversation(services, claim.conversationId);
      claim = await openConversation(services, threadKey, claim);
      try {
        return await fill(services, imported, claim);
      } catch (error) {
        if (!(error instanceof Uncertain)) throw error;
        if (conversations === maxConversations) throw new AppError('unavailable');
      }
    }
  } catch (error) {
    // Whatever cannot be undone now, the next import does.
    if (!(error instanceof OutcomeUnknown)) await undo(services, claim).catch(() => undefined);
    throw error;
  }
}

/** Thrown when the thread may be there or still appear. */
class OutcomeUnknown extends NotBrought {}

async function undo(services: ImportServices, claim: ImportClaim): Promise<void> {
  if (claim.conversationId !== undefined) await removeConversation(services, claim.conversationId);
  await services.imports.release(claim);
}

async function openConversation(
  services: ImportServices,
  threadKey: ThreadKey,
  claim: ImportClaim,
): Promise<ImportClaim> {
  const { engine, pace, imports } = services;
  const labels = { ...threadKey };
  const conversationId = await pace.repeatedly(() => engine.openConversation(labels, callMs));
  const opened = await imports.setConversation(claim, conversationId);
  if (opened) return opened;
  await removeConversation(services, conversationId).catch(() => undefined);
  throw overtaken();
}

const overtaken = () => new NotBrought('another import of it has begun');

async function removeConversation({ engine, pace }: ImportServices, conversationId: string): Promise<void> {
  await pace
    .repeatedly(() => engine.removeConversation(conversationId, callMs))
    .catch((error) => {
      if (!(error instanceof AppError && error.code === 'thread_not_found')) throw error;
    });
}

/** Fills a new conversation and adds its thread. @throws {Uncertain} */
async function fill(services: ImportServices, imported: ImportedThread, claim: ImportClaim): Promise<void> {
  const { threadKey, conversationId = '' } = claim;
  const { threadId, createdAt, metadata, messages, fingerprint } = imported;
  const itemIds: string[] = [];
  for (let start = 0; start < messages.length; start += appendBatch) {
    const batch = messages.slice(start, start + appendBatch);
    const added = await append(services, conversationId, batch, itemIds.at(-1));
    itemIds.push(...added.map(({ messageId }) => messageId));
  }
  const present = await list(services, conversationId, undefined, messages.length + 1);
  const isAsExpected =
    itemIds.length === messages.length &&
    present.length === itemIds.length &&
    present.every(({ messageId }, index) => messageId === itemIds[index]);
  if (!isAsExpected) throw new Uncertain();
  const records = messages.map((one, index) => ({
    ...{ itemId: itemIds[index] ?? '', createdAt: one.createdAt },
    ...metadataOf(one.message.metadata),
  }));
  const thread = {
    ...{ projectId: threadKey.projectId, threadId, createdAt, conversationId, imported: true as const },
    ...metadataOf(metadata),
  };
  const published = await services.imports.publish(claim, thread, fingerprint, records).catch(() => {
    throw new OutcomeUnknown('the store did not confirm it: run the import again');
  });
  if (!published) throw overtaken();
}

/** Adds messages once. If the engine does not confirm it, looks for them. @throws {Uncertain} if they are not there. */
async function append(
  services: ImportServices,
  conversationId: string,
  batch: readonly ImportedMessage[],
  after: string | undefined,
): Promise<readonly Pick<EngineMessage, 'messageId'>[]> {
  const { engine, pace } = services;
  const send = (messages: readonly ImportedMessage[]) =>
    pace.once(() =>
      engine.appendMessages(
        conversationId,
        messages.map(({ message }) => message),
        callMs,
      ),
    );
  try {
    return await send(batch);
  } catch (error) {
    const { code } = error as Partial<AppError>;
    if (code === 'thread_not_found') throw overtaken();
    if (code === 'invalid_request') throw await findRefused(batch, send);
    if (code !== 'unavailable') throw error;
  }
  for (const ms of lookAfterMs) {
    await wait(ms);
    const found = await list(services, conversationId, after, batch.length + 1).catch(() => []);
    if (found.length === batch.length && found.every((one, index) => isSame(one, batch[index]))) return found;
  }
  throw new Uncertain();
}

/** Finds the message that the engine refuses, one by one. The conversation is then given up. */
async function findRefused(
  batch: readonly ImportedMessage[],
  send: (messages: readonly ImportedMessage[]) => Promise<unknown>,
): Promise<NotBrought> {
  for (const message of batch) {
    const refused = await send([message]).then(
      () => false,
      (error) => (error as Partial<AppError>).code === 'invalid_request',
    );
    if (refused) return new NotBrought(`message ${message.name}: the engine refuses its content`);
  }
  return new NotBrought('the engine refuses the content of its messages');
}

/** Lists the messages of a conversation, oldest first. @param limit more are not looked for. */
async function list(
  { engine, pace }: ImportServices,
  conversationId: string,
  after: string | undefined,
  limit: number,
): Promise<EngineMessage[]> {
  const found: EngineMessage[] = [];
  for (let position = after; found.length < limit; ) {
    const page = {
      limit: pageSize,
      order: 'asc',
      ...(position !== undefined && { after: position }),
    } as const;
    const { messages, hasMore, lastId } = await pace.repeatedly(() =>
      engine.listMessages(conversationId, page, callMs),
    );
    found.push(...messages);
    if (!hasMore || lastId === undefined) break;
    position = lastId;
  }
  return found;
}

function isSame({ role, content }: EngineMessage, imported: ImportedMessage | undefined): boolean {
  const { parts, role: expected } = imported?.message ?? { parts: [], role: undefined };
  const text = parts.flatMap((part) => (part.type === 'text' ? part.text : [])).join('\n');
  return role === expected && content === text;
}
