import type { Server } from './servers.ts';
import { summarize, type Times } from './statistics.ts';

/** Results of many identical requests. */
export interface Measured extends Times {
  readonly perSecond: number;
  /** CPU time of the server per request, in microseconds; undefined if unavailable. */
  readonly cpuUs: number | undefined;
  /** CPU usage of this client, in cores; near 1 the client is the bottleneck. */
  readonly clientLoad: number;
}

/**
 * Sends requests with a fixed number in flight.
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

/** Runs `task` for 0 to `count` - 1, with a fixed number in parallel. */
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
