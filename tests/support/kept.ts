import type { Socket } from 'node:net';
import { type Backends, startBackends } from './backends.ts';
import type { TestProcess } from './process.ts';

/** What runs for a test file, and for the next one of its Jest worker. */
export interface Running {
  readonly backends: Backends;
  /** The app with its default settings, if it has been started and nothing has changed it. */
  readonly app?: TestProcess | undefined;
}

/* Has to be loaded natively, or it would be forgotten with the test file. */
let kept: Running | undefined;

/** Returns what the former file has left running, or new backends. */
export async function takeRunning(): Promise<Running> {
  const taken = kept;
  kept = undefined;
  if (taken) holdOpen(taken, true);
  return taken ?? { backends: await startBackends() };
}

/** Keeps backends and app for the next file if they can be made like new, or else ends them. */
export async function keepRunning(running: Running): Promise<void> {
  const { backends, app } = running;
  if (kept || !(await backends.clear())) {
    await Promise.all([backends.close(), app?.close()]);
    return;
  }
  kept = running;
  holdOpen(kept, false);
}

/** Makes processes hold Jest's worker open, or not. */
function holdOpen({ backends, app }: Running, open: boolean): void {
  for (const { child } of [backends.engine, ...(app ? [app] : [])]) {
    for (const handle of [child, child.stdout as Socket, child.stderr as Socket]) {
      if (open) handle.ref();
      else handle.unref();
    }
  }
}

// When Jest's worker has nothing left to do. Servers end with it, and queues with the store.
process.once('beforeExit', async () => {
  if (!kept) return;
  holdOpen(kept, true);
  await Promise.all([kept.backends.engine.close(), kept.app?.close()]);
});
