import { type DocumentIndex, openDocuments } from './documents.ts';
import { openStorage, type Storage } from './storage.ts';
import type { Behaviour, Conversation, Outcome, ResponseRecord, Timing } from './types.ts';

/** Everything the emulator knows. */
export interface Engine {
  conversations: Map<string, Conversation>;
  responses: Map<string, ResponseRecord>;
  /** Fates waiting for the next responses, one entry for each run of equal ones. */
  outcomes: { outcome: Outcome; times: number | null }[];
  timing: Timing;
  initialTiming: Timing;
  behaviour: Behaviour;
  documents: DocumentIndex;
  storage: Storage;
  /** Called when the response of that id changes other than by the clock. */
  watchers: Map<string, Set<() => void>>;
}

const defaultBehaviour: Behaviour = { strandDropped: true };

/** An engine with what an earlier process left in `dataDir`. */
export function createEngine(timing: Timing, dataDir: string | undefined, documentsDir: string): Engine {
  const storage = openStorage(dataDir);
  const engine: Engine = {
    conversations: new Map(storage.conversations().map((conversation) => [conversation.id, conversation])),
    responses: new Map(storage.responses().map((record) => [record.id, record])),
    outcomes: [],
    timing,
    initialTiming: timing,
    behaviour: defaultBehaviour,
    documents: openDocuments(documentsDir),
    storage,
    watchers: new Map(),
  };
  return engine;
}

/** Tells whoever follows the response to look again. */
export function wake(engine: Engine, responseId: string): void {
  for (const watcher of engine.watchers.get(responseId) ?? []) watcher();
}

/** Calls the watcher at each change of the response, until the function returned is called. */
export function watch(engine: Engine, responseId: string, watcher: () => void): () => void {
  const watchers = engine.watchers.get(responseId) ?? new Set();
  engine.watchers.set(responseId, watchers.add(watcher));
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) engine.watchers.delete(responseId);
  };
}

/** Goes back to the times and the behaviour of the start. */
export function resetEngine(engine: Engine): void {
  engine.timing = engine.initialTiming;
  engine.behaviour = defaultBehaviour;
}

/** Forgets conversations, responses and ordered fates, and goes back to the settings of the start. */
export function clearEngine(engine: Engine): void {
  for (const record of engine.responses.values()) record.readable = false;
  const followed = [...engine.watchers.keys()];
  engine.conversations.clear();
  engine.responses.clear();
  engine.outcomes = [];
  resetEngine(engine);
  engine.storage.clear();
  for (const id of followed) wake(engine, id);
}
