import type { VectorStoreFile } from 'openai/resources/vector-stores';
import type { ContainerRecord } from './containers.ts';
import type { DocumentIndex } from './documents.ts';
import type { FileRecord } from './files.ts';
import { type FolderStores, openFolderStores } from './folderStores.ts';
import type { Outcome } from './outcomes.ts';
import { openStorage, type Storage } from './storage.ts';
import type { Behaviour, Conversation, ResponseRecord, Timing } from './types.ts';
import type { VectorStoreRecord } from './vectorStores.ts';

/** State of the emulator. */
export interface Engine {
  conversations: Map<string, Conversation>;
  responses: Map<string, ResponseRecord>;
  files: Map<string, FileRecord>;
  vectorStores: Map<string, VectorStoreRecord>;
  containers: Map<string, ContainerRecord>;
  folderStores: FolderStores;
  /** Search indexes by the files they cover. */
  indexes: Map<string, DocumentIndex>;
  /** Outcomes of the next responses, each with the number of responses it applies to. */
  outcomes: { outcome: Outcome; times: number | null }[];
  /** Errors of the next files attached to vector stores. */
  indexErrors: { error: VectorStoreFile.LastError; times: number | null }[];
  timing: Timing;
  initialTiming: Timing;
  behaviour: Behaviour;
  storage: Storage;
  /** Called when the response with that id changes other than by time. */
  watchers: Map<string, Set<() => void>>;
}

const defaultBehaviour: Behaviour = {
  strandDropped: true,
  appendInput: 'completion',
  refuseDownloads: false,
  keepDeletedFiles: false,
};

/** Creates an engine from the data in `dataDir`. */
export function createEngine(timing: Timing, dataDir: string | undefined, documentsDir: string): Engine {
  const storage = openStorage(dataDir);
  const responses = storage.responses.readAll().sort((one, other) => one.createdAtMs - other.createdAtMs);
  const byId = <T extends { id: string }>(records: T[]) =>
    new Map(records.map((record) => [record.id, record]));
  const byAge = <T extends { id: string; createdAt: number }>(records: T[]) =>
    byId(records.sort((one, other) => one.createdAt - other.createdAt));
  const engine: Engine = {
    conversations: byId(storage.conversations()),
    responses: byId(responses),
    files: byAge(storage.files.readAll()),
    vectorStores: byAge(storage.vectorStores.readAll()),
    containers: byAge(storage.containers.readAll()),
    folderStores: openFolderStores(documentsDir),
    indexes: new Map(),
    outcomes: [],
    indexErrors: [],
    timing,
    initialTiming: timing,
    behaviour: defaultBehaviour,
    storage,
    watchers: new Map(),
  };
  return engine;
}

/** Notifies the watchers of a response. */
export function wake(engine: Engine, responseId: string): void {
  for (const watcher of engine.watchers.get(responseId) ?? []) watcher();
}

/** Calls the watcher on each change of the response. @returns a function that removes the watcher. */
export function watch(engine: Engine, responseId: string, watcher: () => void): () => void {
  const watchers = engine.watchers.get(responseId) ?? new Set();
  engine.watchers.set(responseId, watchers.add(watcher));
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) engine.watchers.delete(responseId);
  };
}

/** Resets timing and behaviour to the initial values. */
export function resetEngine(engine: Engine): void {
  engine.timing = engine.initialTiming;
  engine.behaviour = defaultBehaviour;
}

/** Clears all records and pending outcomes, and resets timing and behaviour. */
export function clearEngine(engine: Engine): void {
  for (const record of engine.responses.values()) record.readable = false;
  const followed = [...engine.watchers.keys()];
  engine.conversations.clear();
  engine.responses.clear();
  engine.files.clear();
  engine.vectorStores.clear();
  engine.containers.clear();
  engine.outcomes = [];
  engine.indexErrors = [];
  resetEngine(engine);
  engine.storage.clear();
  for (const id of followed) wake(engine, id);
}
