import type { Deadline } from '../deadline.ts';
import type { EngineFiles } from '../engine/files.ts';
import type { LogFacts } from '../failures.ts';
import type { FileStore } from '../storage/fileStore.ts';
import type { FileSecrets } from './fileSecrets.ts';

/** Dependencies of the operations on files. */
export interface FileServices {
  readonly files: FileStore;
  /** For work that outlasts its request. */
  readonly workerStores: { readonly files: FileStore };
  readonly fileSecrets: FileSecrets;
  readonly engineFiles: EngineFiles;
  readonly deadline: Deadline;
  /** Writes a line to the log. */
  readonly log: (facts: LogFacts) => void;
}
