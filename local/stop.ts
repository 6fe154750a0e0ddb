/** The parent at the start: npm may end while the services are starting. */
const parent = process.ppid;

/**
 * Calls a function when the process is asked to end, or when its npm has ended: npm sends signals only to its shell,
 * which does not forward them.
 */
export function whenStopped(stop: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    void stop();
  }, 250).unref();
}
