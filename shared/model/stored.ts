/** Something read from or written to the store, with the version it had then. */
export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}
