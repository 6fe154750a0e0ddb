interface AnyPage {
  readonly hasMore: boolean;
  readonly lastId: string | null;
}

/**
 * A list. Iterate it for all items, over as many pages as there are; iterate `pages()` for whole pages; `await` it for
 * the first page. Requests are sent only then.
 */
export interface List<Item, Page> extends AsyncIterable<Item>, PromiseLike<Page> {
  pages(): AsyncIterable<Page>;
}

/** @param load reads the page after an id; after undefined, the first one. */
export function toList<Item, Page extends AnyPage>(
  load: (after: string | undefined) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): List<Item, Page> {
  async function* pages(): AsyncGenerator<Page, void, undefined> {
    let page = await load(undefined);
    yield page;
    while (page.hasMore && page.lastId !== null) {
      page = await load(page.lastId);
      yield page;
    }
  }
  return {
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) yield* itemsOf(page);
    },
    // biome-ignore lint/suspicious/noThenProperty: a list is awaited for its first page.
    then: (fulfilled, rejected) => load(undefined).then(fulfilled, rejected),
  };
}
