import type { Socket } from 'node:net';
import { scheduler } from 'node:timers/promises';
import type { HostStatus } from '../../local/host/host.ts';
import type { Backends } from './backends.ts';
import type { TestProcess } from './process.ts';

/*
 * What a test file leaves running for the next one of its worker: starting it takes longer than most files take. Has to
 * be loaded natively, or it would be forgotten with the file.
 */

/** A local host. */
export interface Host extends TestProcess {
  /** Whether it runs this project's app, with the settings that tests have by default. */
  readonly isDefault: boolean;
}

interface Kept {
  readonly backends: Backends;
  readonly host: Host | undefined;
}

/** How long a host may take to become quiet, in milliseconds. */
const quietMs = 2_000;

let kept: Kept | undefined;

/** Returns what the former file has left, if anything, and leaves it to the caller. */
export function takeKept(): Kept | undefined {
  const taken = kept;
  kept = undefined;
  if (taken) holdOpen(taken, true);
  return taken;
}

/**
 * Keeps backends, and a default host, for the next file if they are like new, and ends what is not.
 * @param hosts of the file: the one that it used, and the one that it was left.
 */
export async function keep(backends: Backends, hosts: ReadonlySet<Host>): Promise<void> {
  const others = new Set(hosts);
  const isNew = !kept && (await backends.clear());
  let host: Host | undefined;
  for (const one of hosts) if (isNew && !host && (await isLikeNew(one, backends))) host = one;
  if (host) others.delete(host);
  await Promise.all([...others].map((other) => other.stop()));
  if (!isNew) return backends.close();
  // What came in while the hosts ended.
  await backends.clear();
  kept = { backends, host };
  holdOpen(kept, false);
}

/** Waits until nothing goes on in a host that the file has started. @returns whether it is then like a new one. */
async function isLikeNew({ isDefault, child, url }: Host, { engine }: Backends): Promise<boolean> {
  const until = performance.now() + quietMs;
  while (isDefault && child.exitCode === null && child.signalCode === null && performance.now() < until) {
    const response = await fetch(`${url}/admin/host/status`);
    const { openInvocations, workerStarts } = (await response.json()) as HostStatus;
    if (workerStarts > 1) return false;
    if (openInvocations === 0 && (await engine.openStreams()) === 0) return true;
    await scheduler.wait(25);
  }
  return false;
}

/** Makes what is kept hold Jest's worker open, or not. */
function holdOpen({ backends, host }: Kept, open: boolean): void {
  for (const child of [backends.engine.child, ...(host ? [host.child] : [])]) {
    for (const handle of [child, child.stdout as Socket, child.stderr as Socket]) {
      if (open) handle.ref();
      else handle.unref();
    }
  }
}

// When Jest's worker has nothing left to do. Servers end with it, and queues with the store.
process.once('beforeExit', async () => {
  const last = takeKept();
  await Promise.all([last?.host?.stop(), last?.backends.engine.close()]);
});
