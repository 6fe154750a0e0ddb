/** A request to the API: never its body, never its token. `status` is null for one that got no answer. */
export interface CallEntry {
  method: string;
  path: string;
  /** What stood behind the path's question mark. */
  query: string;
  status: number | null;
}

/** The requests so far: all of them counted, the newest listed. */
export interface CallLog {
  add(method: string, path: string, query: string): CallEntry;
  list(): { calls: CallEntry[]; counts: Record<string, number> };
  clear(): void;
}

// A benchmark makes more requests than anybody reads.
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

/** In every route the third and the fifth segment is an id: `/v1/conversations/{id}/items/{id}`. */
function withoutIds(path: string): string {
  return path
    .split('/')
    .map((segment, index) => (index === 3 || index === 5 ? '*' : segment))
    .join('/');
}
