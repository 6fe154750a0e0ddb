import type { Run } from '../model/run.ts';
import type { Stored } from '../model/stored.ts';
import type { RequiredAction } from '../model/toolCalls.ts';
import type { OutputChange } from './runOutput.ts';

/** An event of a run. */
export type FeedEntry = {
  /** Index of the round; 0 is the first. */
  readonly round: number;
  /** The engine's sequence number of the event in its round; for polled data, that of the event before. */
  readonly sequence: number;
} & (
  | {
      readonly type: 'run';
      readonly run: Run;
      /** Present if and only if the run waits. The entry is then the first of the next round. */
      readonly requiredAction?: RequiredAction;
    }
  | OutputChange
);

/** A reader's subscription to a feed. */
export interface Subscription {
  /** The newest version of the run that the feed has seen. */
  readonly stored: Stored<Run>;
  /** All entries so far, from the start of the run. */
  readonly entries: readonly FeedEntry[];
  /** Whether the run has ended and its entries are complete; stays false if the run is deleted. */
  readonly isComplete: boolean;
  /** Whether the feed has stopped, complete or not. */
  readonly isClosed: boolean;
  /** Resolves when one of the properties has changed or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  close(): void;
}
