/** A stored value with its version. */
export interface Stored<T> {
  readonly value: T;
  readonly etag: string;
}
