/** A cache whose entries expire. */
export interface Cache<T> {
  get(key: string): T | undefined;
  /** @param until expiry, in Unix milliseconds. */
  set(key: string, value: T, until: number): void;
  delete(key: string): void;
}

/** @param limit maximum number of entries; beyond it the oldest is evicted, since clients may choose the keys. */
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
      // A Map iterates in insertion order, so the first key is the oldest.
      const [oldest] = entries.keys();
      if (entries.size > limit && oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
  };
}
