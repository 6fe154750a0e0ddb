export interface PageRequest {
  readonly limit: number;
  /** The id that the page starts behind. */
  readonly after: string | undefined;
}

export interface Page<T> {
  /** As many as asked for, or fewer when the search stopped at its bound; `hasMore` is true then. */
  readonly items: readonly T[];
  readonly hasMore: boolean;
  /** What the next page starts behind; that need not be one of the items. */
  readonly lastId: string | undefined;
}
