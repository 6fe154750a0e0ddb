/** A request to the service and what is known about its response. Never holds the token. */
export interface Exchange {
  readonly key: number;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Text, or the file of an upload. */
  readonly body?: string | { readonly file: string };
  readonly at: number;
  readonly status?: number;
  readonly requestId?: string;
  readonly durationMs?: number;
  /** Without a response: ended by the page itself, or by the network. */
  readonly ended?: 'stopped' | 'failed';
}
