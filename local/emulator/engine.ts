import { type DocumentIndex, openDocuments } from './documents.ts';
import type { Outcome } from './outcomes.ts';
import { openStorage, type Storage } from './storage.ts';
import type { Behaviour, Conversation, ResponseRecord, Timing } from './types.ts';

/** State of the emulator. */
export interface Engine {
  conversations: Map<string, Conversation>;
  responses: Map<string, ResponseRecord>;
  /** Outcomes of the next responses, each with the number of responses it applies to. */
  outcomes: { outcome: Outcome; times: number | null }[];
  timing: Timing;
  initialTiming: Timing;
  behaviour: Behaviour;
  documents: DocumentIndex;
  storage: Storage;
  /** Called when the response with that id changes other than by time. */
  watchers: Map<string, Set<() => void>>;
}

const defaultBehaviour: Behaviour = { strandDropped: true, appendInput: 'completion' };

/** Creates an engine from the data in `dataDir`. */
export function createEngine(timing: Timing, dataDir: string | undefined, documentsDir: string): Engine {
  const storage = openStorage(dataDir);
  const responses = storage.responses().sort((one, other) => one.createdAtMs - other.createdAtMs);
  const engine: Engine = {
    conversations: new Map(storage.conversations().map((conversation) => [conversation.id, conversation])),
    responses: new Map(responses.map((record) => [record.id, record])),
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

/** Clears conversations, responses and pending outcomes, and resets timing and behaviour. */
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
