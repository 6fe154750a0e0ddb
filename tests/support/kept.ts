import type { Socket } from 'node:net';
import { type Backends, startBackends } from './backends.ts';

/*
 * The backends that a test file leaves running for the next one of its Jest worker. The app does not stay: it may still
 * be busy with runs of the former file. Has to be loaded natively, or it would be forgotten with the file.
 */
let kept: Backends | undefined;

/** Returns the backends of the former file, or new ones. */
export async function takeBackends(): Promise<Backends> {
  const taken = kept;
  kept = undefined;
  if (taken) holdOpen(taken, true);
  return taken ?? startBackends();
}

/** Keeps backends for the next file if they can be made like new, or else ends them. No app may use them any more. */
export async function keepBackends(backends: Backends): Promise<void> {
  if (kept || !(await backends.clear())) return backends.close();
  kept = backends;
  holdOpen(kept, false);
}

/** Makes the engine's process hold Jest's worker open, or not. */
function holdOpen({ engine: { child } }: Backends, open: boolean): void {
  for (const handle of [child, child.stdout as Socket, child.stderr as Socket]) {
    if (open) handle.ref();
    else handle.unref();
  }
}

// When Jest's worker has nothing left to do. Servers end with it, and queues with the store.
process.once('beforeExit', () => {
  if (kept) holdOpen(kept, true);
  return kept?.engine.close();
});
