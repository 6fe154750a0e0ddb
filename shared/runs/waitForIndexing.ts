import { scheduler } from 'node:timers/promises';
import type { ToolResources } from '../model/toolResources.ts';
import type { RunServices } from './runServices.ts';

/** Timeout of a look at a vector store, and time between two, in milliseconds. */
const lookMs = 3_000;
const pollMs = 250;

/** Maximum wait, and time reserved for the rest of the request, in milliseconds. */
const maxWaitMs = 12_000;
const reserveMs = 14_000;

/**
 * Waits a while until all files of a thread's vector store can be searched: the engine says nothing of those that it is
 * still indexing. As in the original API, those of the assistant are not waited for. Never rejects: of a vector store that
 * is gone, the engine tells when the run is submitted.
 */
export async function waitForIndexing(
  { engineVectorStores, deadline }: Pick<RunServices, 'engineVectorStores' | 'deadline'>,
  { vectorStores: [store] = [] }: Pick<ToolResources, 'vectorStores'>,
): Promise<void> {
  if (!store) return;
  const until = Date.now() + deadline.remaining(maxWaitMs, reserveMs);
  while (Date.now() < until) {
    const timeoutMs = Math.min(lookMs, until - Date.now() + 1);
    const found = await engineVectorStores.find(store.engineStoreId, timeoutMs).catch(() => undefined);
    if (!found || found.counts.in_progress === 0) return;
    await scheduler.wait(pollMs);
  }
}
