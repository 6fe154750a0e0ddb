/** Lets any number of readers wait for the next change. */
export class Wakeups {
  readonly #waiting = new Set<() => void>();

  /** Resolves the promises of all readers that wait. */
  wake(): void {
    for (const wakeUp of this.#waiting) wakeUp();
  }

  /** Resolves at the next change, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        this.#waiting.delete(end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.#waiting.add(end);
      signal.addEventListener('abort', end);
    });
  }
}
