export type { Client, ClientOptions } from './client.ts';
export { createClient } from './client.ts';
export { ApiError, ConnectionError, RunFailedError, TimeoutError } from './errors.ts';
export type { List } from './pages.ts';
export type { TokenSource } from './transport.ts';
export type * from './types.ts';
