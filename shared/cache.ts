/** A memory for values that are good for a while. */
export interface Cache<T> {
  get(key: string): T | undefined;
  /** @param until Unix milliseconds from which on the value is no longer given. */
  set(key: string, value: T, until: number): void;
  delete(key: string): void;
}

/** @param limit entries at a time: callers choose the keys, and must not be able to fill the memory with them. */
export function createCache<T>(limit: number): Cache<T> {
  const entries = new Map<string, { value: T; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      return entry && Date.now() < entry.until ? entry.value : undefined;
    },
    set(key, value, until) {
      entries.delete(key);
      entries.set(key, { value, until });
      // A Map keeps the order of insertion, so the first key is the oldest.
      const [oldest] = entries.keys();
      if (entries.size > limit && oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
  };
}
