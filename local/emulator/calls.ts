/** A request to the API, without body and token. `status` is null if there was no response. */
export interface CallEntry {
  method: string;
  path: string;
  /** The query string, without `?`. */
  query: string;
  status: number | null;
}

/** Log of requests: counts all, lists the newest. */
export interface CallLog {
  add(method: string, path: string, query: string): CallEntry;
  list(): { calls: CallEntry[]; counts: Record<string, number> };
  clear(): void;
}

// Bounds the memory used during a benchmark.
const listedCalls = 10_000;

export function createCallLog(): CallLog {
  let calls: CallEntry[] = [];
  let counts = new Map<string, number>();
  return {
    add: (method, path, query) => {
      const entry: CallEntry = { method, path, query, status: null };
      calls.push(entry);
      if (calls.length > 2 * listedCalls) calls = calls.slice(-listedCalls);
      const key = `${method} ${withoutIds(path)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return entry;
    },
    list: () => ({ calls: calls.slice(-listedCalls), counts: Object.fromEntries(counts) }),
    clear: () => {
      calls = [];
      counts = new Map();
    },
  };
}

/** Replaces ids with `*`. They are the third and fifth segments: `/v1/conversations/{id}/items/{id}`. */
function withoutIds(path: string): string {
  return path
    .split('/')
    .map((segment, index) => (index === 3 || index === 5 ? '*' : segment))
    .join('/');
}
