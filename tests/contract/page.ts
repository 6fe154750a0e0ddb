import { createContext, runInContext } from 'node:vm';

/** A call of a script's console: its method, then what it was given. */
export type Line = readonly [method: 'log' | 'warn' | 'error', ...values: unknown[]];

export interface Page {
  readonly printed: readonly Line[];
  /** What the script's last statement is worth: for an example that calls itself, the promise of its end. */
  readonly result: unknown;
  /** Calls a function that the script declares. */
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts on whatever came.
  call(name: string, ...values: unknown[]): any;
}

export interface PageOptions {
  /** Where the page is; relative URLs resolve against it. */
  readonly url: string;
  /** How many times sooner than asked for a timer fires: the examples wait 2 s between two looks at a run. */
  readonly fasterBy: number;
  /** What else the script finds in its global scope. */
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Runs a script in a global scope of its own, with what a browser's page has of the things it uses. */
export function runPage(script: string, { url, fasterBy, globals }: PageOptions): Page {
  const printed: Line[] = [];
  const print =
    (method: Line[0]) =>
    (...values: unknown[]) =>
      void printed.push([method, ...values]);
  const scope = createContext({
    console: { log: print('log'), warn: print('warn'), error: print('error') },
    fetch: (path: string, init: RequestInit) => fetch(new URL(path, url), init),
    setTimeout: (callback: () => void, ms: number) => setTimeout(callback, ms / fasterBy),
    ...globals,
  });
  const result = runInContext(script, scope);
  return { printed, result, call: (name, ...values) => scope[name](...values) };
}
