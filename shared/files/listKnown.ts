import { type AppError, fieldError, ignore } from '../errors.ts';

/** How a page is read: rows from the store, and what the engine tells about each. */
interface Source<Row, Item> {
  /** Returns a page of rows. @param limit at most 999. */
  read(
    limit: number,
    after: Row | undefined,
  ): Promise<{ readonly rows: readonly Row[]; readonly hasMore: boolean }>;
  /** Asks the engine. @returns undefined if it no longer has the object. */
  describe(row: Row): Promise<Item | undefined>;
}

/** Maximum number of store pages read for one page: the engine may have lost many objects, for all of which it is asked. */
const maxReads = 5;

/** Number of rows that are looked through at once for one that the engine still has. */
const rowsAhead = 100;

/** Number of objects that are looked up at the same time. */
const lookupsAtOnce = 10;

/** Returns a page of objects, without those that the engine no longer has. @param start the row after which it starts. */
export async function listKnown<Row, Item>(
  limit: number,
  start: Row | undefined,
  { read, describe }: Source<Row, Item>,
): Promise<{ readonly items: readonly Item[]; readonly hasMore: boolean }> {
  let last = start;
  for (let reads = 1; ; reads++) {
    const found = await read(reads === 1 ? limit : Math.max(limit, rowsAhead), last);
    const items = (await lookUp(found.rows, describe)).filter((item) => item !== undefined);
    // A client ends at an empty page, so there must be none while objects may follow.
    if (items.length > 0 || !found.hasMore || reads === maxReads) {
      return { items: items.slice(0, limit), hasMore: found.hasMore || items.length > limit };
    }
    last = found.rows.at(-1);
  }
}

/** Looks up many objects, a few at a time. */
export async function lookUp<Key, Item>(
  keys: readonly Key[],
  find: (key: Key) => Promise<Item>,
): Promise<Item[]> {
  const found: Item[] = [];
  for (let start = 0; start < keys.length; start += lookupsAtOnce) {
    found.push(...(await Promise.all(keys.slice(start, start + lookupsAtOnce).map(find))));
  }
  return found;
}

/**
 * Finds the row of a cursor. One that has been removed since has lost its place: the list begins again, so that a client
 * can delete what it lists.
 * @param isOwn whether the project ever had an object with this id.
 * @throws {AppError} invalid_request for an id that is not of the project.
 */
export async function findCursor<Row>(
  id: string | undefined,
  find: (id: string) => Promise<Row | undefined>,
  isOwn: (id: string) => Promise<boolean>,
): Promise<Row | undefined> {
  if (id === undefined) return undefined;
  const row = await find(id);
  if (row === undefined && !(await isOwn(id))) throw unknownCursor();
  return row;
}

/** Creates the error for a cursor that is no object of the list. */
export const unknownCursor = (): AppError =>
  fieldError('After', 'The field After must be an id of the list.');

/** Returns nothing for a missing object. */
export const ignoreMissing = ignore('file_not_found', 'document_not_found', 'vector_store_not_found');
