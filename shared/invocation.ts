import type { InvocationContext } from '@azure/functions';
import { type Deadline, startDeadline } from './deadline.ts';
import type { LogFacts } from './failures.ts';
import type { Stores } from './runs/runServices.ts';
import { type Services, services } from './services.ts';

/** Context of an invocation, for handlers of any trigger. */
export interface ServiceContext extends Services, Stores {
  readonly deadline: Deadline;
  /** Writes a line to the log, with the invocation's id. */
  readonly log: (facts: LogFacts) => void;
}

/**
 * Creates the context of an invocation and starts its deadline.
 * @throws {ConfigError} when the settings are invalid.
 */
export function openContext(invocation: InvocationContext): ServiceContext {
  const deadline = startDeadline();
  const built = services();
  return {
    ...built,
    ...built.openStores(deadline),
    deadline,
    log: (facts) => invocation.log(JSON.stringify({ ...facts, requestId: invocation.invocationId })),
  };
}
