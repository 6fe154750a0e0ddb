import type { Server } from './servers.ts';
import { summarize, type Times } from './statistics.ts';

/** What came of many equal requests. */
export interface Measured extends Times {
  readonly perSecond: number;
  /** Processor time of the server for one request, in microseconds; undefined where it cannot be known. */
  readonly cpuUs: number | undefined;
  /** How much of one processor this client used: near 1 it is the client that is measured. */
  readonly clientLoad: number;
}

/**
 * Sends requests, so many in flight, each answer followed by the next request.
 * @throws {Error} the first failure of a request.
 */
export async function load(
  server: Server,
  { count, inFlight }: { count: number; inFlight: number },
  send: (index: number) => Promise<unknown>,
): Promise<Measured> {
  const times: number[] = [];
  const cpuBefore = await server.cpuMs();
  const ownBefore = process.cpuUsage();
  const start = performance.now();
  await pool(count, inFlight, async (index) => {
    const sentAt = performance.now();
    await send(index);
    times.push(performance.now() - sentAt);
  });
  const totalMs = performance.now() - start;
  const { user, system } = process.cpuUsage(ownBefore);
  const cpuAfter = await server.cpuMs();
  return {
    ...summarize(times),
    perSecond: (count / totalMs) * 1000,
    cpuUs:
      cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) / count) * 1000,
    clientLoad: (user + system) / 1000 / totalMs,
  };
}

/** Runs `task` for 0 to `count` - 1, so many at a time. */
export async function pool<T>(
  count: number,
  size: number,
  task: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await task(index);
  };
  await Promise.all(Array.from({ length: Math.min(size, count) }, work));
  return results;
}
