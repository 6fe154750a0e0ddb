import { scheduler } from 'node:timers/promises';

/** Waits until a condition holds. @throws {Error} after 25 seconds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 25_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await scheduler.wait(25);
  }
}
