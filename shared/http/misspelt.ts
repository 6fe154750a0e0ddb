/** Maximum number of edits between a misspelt name and the one that was meant. */
const maxEdits = 2;

/**
 * Describes the properties of a body that the service ignores, for the log: how many there are, and which known ones
 * they resemble. Quotes only known names, because an ignored one may be anything.
 * @param known names of the properties that the service reads.
 */
export function ignoredProperties(
  body: object,
  known: readonly string[],
): { ignoredProperties?: number; perhapsMeant?: string[] } {
  const ignored = Object.keys(body).filter((name) => !known.includes(name));
  if (ignored.length === 0) return {};
  const absent = known.filter((name) => !Object.hasOwn(body, name));
  const perhapsMeant = absent.filter((name) => ignored.some((other) => resembles(name, other)));
  return { ignoredProperties: ignored.length, ...(perhapsMeant.length > 0 && { perhapsMeant }) };
}

/** Returns whether two names are the same but for case, separators and at most two edits. */
function resembles(name: string, other: string): boolean {
  const [a, b] = [plain(name), plain(other)];
  return Math.abs(a.length - b.length) <= maxEdits && edits(a, b) <= maxEdits;
}

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');

/** Counts the letters to insert, delete or replace between two words (Levenshtein distance). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
