import { scheduler } from 'node:timers/promises';
import { waitAtMost } from '../deadline.ts';
import { AppError, hasCode } from '../errors.ts';
import { ignoreMissing, lookUp } from '../files/listKnown.ts';
import { undo } from '../files/undo.ts';
import type { VectorStoreServices } from '../files/vectorStores.ts';
import { isImage, type StoredFile } from '../model/file.ts';
import type { NewMessage } from '../model/newMessage.ts';
import type { Thread, ThreadKey } from '../model/thread.ts';
import { type NamedVectorStore, threadStoreExpiryDays } from '../model/toolResources.ts';
import type { VectorStoreFile } from '../model/vectorStore.ts';
import { sealVectorStoreId } from '../model/vectorStoreId.ts';
import { findAttachments } from '../runs/attachments.ts';
import type { RunServices } from '../runs/runServices.ts';
import { type CreatedThread, type CreateThreadRequest, createThread } from './createThread.ts';
import { releaseVectorStore, setDefaultVectorStore } from './toolResources.ts';

/*
 * Files that messages attach for searches. They are put into the vector store of their thread, which is created for them
 * if there is none. Such a vector store has no record: it is not listed, does not count, and expires when the thread has
 * not been searched for a week, as in the original API.
 */

export type SearchServices = RunServices & VectorStoreServices;

/** Timeout of a call of the engine, and time for indexing, in milliseconds. */
const callMs = 5_000;
const indexMs = 12_000;

/** Time reserved for the rest of the request, and time between two looks at a file, in milliseconds. */
const reserveMs = 14_000;
const pollMs = 250;

/** Time for taking back before a request is answered, in milliseconds. */
const undoWaitMs = 5_000;

export interface SearchedFiles<Message extends NewMessage> {
  /** The messages, with the attachments marked that are searched rather than read. */
  readonly messages: readonly Message[];
  /** The vector store with the files; that of the thread, if it had one. */
  readonly store: NamedVectorStore | undefined;
  /** Takes everything back. Never rejects. */
  readonly undo: () => Promise<void>;
}

/**
 * Makes the files searchable that messages attach for searches, and waits for that a while. What the engine cannot search,
 * images among it, is left to be read by the model, and so is what only later runs can search.
 * @param store of the thread, if it has one.
 * @throws {AppError} file_not_found, rate_limited, unavailable, internal_error; everything is then taken back.
 */
async function addSearchedFiles<Message extends NewMessage>(
  services: SearchServices,
  projectId: string,
  store: NamedVectorStore | undefined,
  messages: readonly Message[],
): Promise<SearchedFiles<Message>> {
  const { engineVectorStores, fileSecrets, deadline, log } = services;
  const attached = await findAttachments(services, projectId, searchedIn(messages));
  const files = attached.filter(({ mediaType }) => !isImage(mediaType));
  if (files.length === 0) return { messages, store, undo: async () => undefined };
  const secret = await fileSecrets.open(projectId);
  const timeoutMs = () => deadline.remaining(callMs, reserveMs);
  const created = store
    ? undefined
    : await engineVectorStores
        .create({ expiryDays: threadStoreExpiryDays, fileIds: [] }, timeoutMs())
        .catch(ignoreUnsearchable);
  const engineStoreId = store?.engineStoreId ?? created?.vectorStoreId;
  if (engineStoreId === undefined) return { messages, store, undo: async () => undefined };
  const added: string[] = [];
  const takeBack = () =>
    undo({ event: 'vector_store_not_undone', projectId }, log, (ms) =>
      store
        ? added.map((id) => engineVectorStores.removeFile(engineStoreId, id, ms).catch(ignoreMissing))
        : [engineVectorStores.remove(engineStoreId, ms).catch(ignoreMissing)],
    );
  try {
    const until = Date.now() + deadline.remaining(indexMs, reserveMs);
    const found = await lookUp(files, async (file) => {
      const status = await addFile(services, engineStoreId, file, { isNew: !store, added, until });
      return { fileId: file.fileId, status };
    });
    if (found.some(({ status }) => status !== undefined)) {
      const vectorStoreId = sealVectorStoreId(secret, engineStoreId);
      const indexed = found.filter(({ status }) => status === 'completed');
      const ids = new Set(indexed.map(({ fileId }) => fileId));
      const marked = messages.map((message) => markSearched(message, ids));
      return { messages: marked, store: store ?? { vectorStoreId, engineStoreId }, undo: takeBack };
    }
  } catch (error) {
    await waitAtMost(undoWaitMs, takeBack());
    throw error;
  }
  if (!store) void takeBack();
  return { messages, store, undo: async () => undefined };
}

/**
 * As {@link addSearchedFiles}, for messages that are about to be added to a thread: its vector store is found or named.
 * @throws {AppError} also thread_not_found.
 */
export async function addFilesOfThread<Message extends NewMessage>(
  services: SearchServices,
  thread: Thread,
  messages: readonly Message[],
): Promise<SearchedFiles<Message>> {
  const [own] = thread.vectorStores ?? [];
  const searched = await addSearchedFiles(services, thread.projectId, own, messages);
  const { store } = searched;
  if (own || !store) return searched;
  const named = await setDefaultVectorStore(services, thread, store).catch(undoIfRefused(searched));
  if (named.vectorStoreId === store.vectorStoreId) {
    const takeBack = async () => {
      await releaseVectorStore(services, thread, store).catch(() => undefined);
      await searched.undo();
    };
    return { ...searched, undo: takeBack };
  }
  // Another request has named one meanwhile.
  void searched.undo();
  return addSearchedFiles(services, thread.projectId, named, messages);
}

/**
 * As {@link createThread}. Files that its messages attach for searches are in the vector store of the thread.
 * @throws {AppError} also file_not_found.
 */
export async function createSearchableThread(
  services: SearchServices,
  request: CreateThreadRequest,
): Promise<CreatedThread> {
  const { project, messages = [], vectorStores: [own] = [] } = request;
  const searched = await addSearchedFiles(services, project.projectId, own, messages);
  const { store } = searched;
  const created = await createThread(services, {
    ...{ ...request, messages: searched.messages },
    ...(store && { vectorStores: [store] }),
  }).catch(undoIfRefused(searched));
  // The thread has the vector store of the first request.
  if (created.replayed) void searched.undo();
  return created;
}

/**
 * Makes the files searchable that the messages of a run attach for searches. The model reads them as well, because
 * nothing else would show them in the thread.
 * @throws {AppError} as {@link addFilesOfThread}.
 */
export async function addFilesOfRun(
  services: SearchServices,
  threadKey: ThreadKey,
  messages: readonly NewMessage[],
): Promise<Pick<SearchedFiles<NewMessage>, 'undo'>> {
  if (searchedIn(messages).length === 0) return { undo: async () => undefined };
  const thread = await services.threads.find(threadKey);
  if (!thread) throw new AppError('thread_not_found');
  return addFilesOfThread(services, thread.value, messages);
}

/** Takes back what was made searchable for a request that was refused. Otherwise what needs it may exist. */
export const undoIfRefused =
  ({ undo: takeBack }: Pick<SearchedFiles<NewMessage>, 'undo'>) =>
  async (error: unknown): Promise<never> => {
    const isRefused = error instanceof AppError && error.code !== 'unavailable';
    // A client that tries again at once must not rely on what is about to go.
    if (isRefused) await waitAtMost(undoWaitMs, takeBack());
    throw error;
  };

const searchedIn = (messages: readonly NewMessage[]): string[] => [
  ...new Set(
    messages.flatMap(({ attachments = [] }) =>
      attachments.filter(({ tools }) => tools.includes('file_search')).map(({ fileId }) => fileId),
    ),
  ),
];

const markSearched = <Message extends NewMessage>(message: Message, ids: ReadonlySet<string>): Message => {
  const { attachments } = message;
  if (!attachments) return message;
  const mark = attachments.map((attachment) =>
    attachment.tools.includes('file_search') && ids.has(attachment.fileId)
      ? { ...attachment, searched: true as const }
      : attachment,
  );
  return { ...message, attachments: mark };
};

interface Adding {
  /** Whether the vector store is new, and has no files. */
  readonly isNew: boolean;
  /** The engine's ids of files that were added. */
  readonly added: string[];
  /** Time until which indexing is waited for. */
  readonly until: number;
}

/** Adds a file to a vector store. @returns how far its indexing has come; undefined if it cannot be searched. */
async function addFile(
  { engineVectorStores, deadline }: SearchServices,
  engineStoreId: string,
  { engineFileId }: StoredFile,
  { isNew, added, until }: Adding,
): Promise<'completed' | 'in_progress' | undefined> {
  const timeoutMs = () => deadline.remaining(callMs, reserveMs);
  const find = () => engineVectorStores.findFile(engineStoreId, engineFileId, timeoutMs());
  let file: VectorStoreFile | undefined;
  if (!isNew) file = await find().catch(ignoreMissing);
  if (!file || file.status === 'failed' || file.status === 'cancelled') {
    file = await engineVectorStores
      .addFile(engineStoreId, { fileId: engineFileId }, timeoutMs())
      .catch(ignoreUnsearchable);
    if (!file) return undefined;
    added.push(engineFileId);
  }
  while (file.status === 'in_progress' && Date.now() < until) {
    await scheduler.wait(pollMs);
    file = await find();
  }
  if (file.status === 'completed' || file.status === 'in_progress') return file.status;
  await engineVectorStores.removeFile(engineStoreId, engineFileId, timeoutMs()).catch(ignoreMissing);
  return undefined;
}

/** A file of another type, one that only the engine has lost, a vector store that has expired, or an engine without any. */
const ignoreUnsearchable = (error: unknown): undefined =>
  hasCode(error, 'invalid_request') ? undefined : ignoreMissing(error);
