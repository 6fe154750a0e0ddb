/** Parameters of a page. */
export interface PageRequest {
  readonly limit: number;
  /** Cursor: the id after which the page starts. */
  readonly after: string | undefined;
}

/** A page of a list. */
export interface Page<T> {
  /** May be fewer than the limit even if `hasMore` is true, because a search is bounded. */
  readonly items: readonly T[];
  readonly hasMore: boolean;
  /** Cursor of the next page; not necessarily the id of an item. */
  readonly lastId: string | undefined;
}
