import type { Config } from '../config.ts';
import type { Deadline } from '../deadline.ts';
import type { Engine } from '../engine/engine.ts';
import type { EngineVectorStores } from '../engine/vectorStores.ts';
import type { LogFacts } from '../failures.ts';
import type { AssistantStore } from '../storage/assistantStore.ts';
import type { FileStore } from '../storage/fileStore.ts';
import type { FollowUpQueue } from '../storage/followUpQueue.ts';
import type { MessageStore } from '../storage/messageStore.ts';
import type { ReservationStore } from '../storage/reservationStore.ts';
import type { RunStore } from '../storage/runStore.ts';
import type { SecretStore } from '../storage/secretStore.ts';
import type { ThreadStore } from '../storage/threadStore.ts';
import type { VectorStoreRegistry } from '../storage/vectorStoreRegistry.ts';
import type { LiveRuns } from './liveRuns.ts';

/** The stores of threads, runs, reservations, files, messages, assistants, secrets and vector stores. */
export interface Stores {
  readonly threads: ThreadStore;
  readonly runs: RunStore;
  readonly reservations: ReservationStore;
  readonly files: FileStore;
  readonly messages: MessageStore;
  readonly assistants: AssistantStore;
  readonly secrets: SecretStore;
  readonly vectorStores: VectorStoreRegistry;
}

/** Dependencies of the operations on runs and threads. */
export interface RunServices extends Stores {
  readonly config: Config;
  readonly engine: Engine;
  readonly engineVectorStores: EngineVectorStores;
  readonly liveRuns: LiveRuns;
  readonly followUps: FollowUpQueue;
  /** The stores for work shared by several requests: round trips have their own timeout only. */
  readonly workerStores: Stores;
  readonly deadline: Deadline;
  /** Writes a line to the log. */
  readonly log: (facts: LogFacts) => void;
}
