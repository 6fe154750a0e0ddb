import type { InvocationContext } from '@azure/functions';
import { type Deadline, startDeadline } from './deadline.ts';
import type { LogFacts } from './failures.ts';
import type { Stores } from './runs/runServices.ts';
import { type Services, services } from './services.ts';

/** What the handler of any trigger is given besides its input. */
export interface ServiceContext extends Services, Stores {
  readonly deadline: Deadline;
  /** Writes a line about what happened, with the invocation's id. */
  readonly log: (facts: LogFacts) => void;
}

/**
 * Builds the context of an invocation whose time starts now.
 * @throws {ConfigError} when the settings are not usable.
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
