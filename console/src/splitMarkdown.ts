/** Characters below which a text is one piece: a reader's Markdown needs milliseconds for each thousand. */
const minPieceLength = 2_000;

/** A place where a block begins that is no part of the one before it (not an item of its list), or the line of a fence. */
const places = /\n\n+(?=[^\s\d*+-]|\*\*|--)|^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})(.*)$/gm;

/** A definition of a link or a footnote, on which any other piece may depend. */
const definition = /^ {0,3}\[[^\]\n]+\]:/m;

/**
 * Splits Markdown into pieces that look the same when each is rendered by itself, so that a growing text need not be
 * rendered again from its beginning: what parses it needs a time that grows with the square of a piece.
 * @param before the pieces of the text so far. All but the last one stay as they are, if the text begins with them.
 */
export function splitMarkdown(text: string, before: readonly string[] = []): readonly string[] {
  if (text.length < 10 * minPieceLength && definition.test(text)) return [text];
  const pieces: string[] = [];
  let start = 0;
  for (const piece of before.slice(0, -1)) {
    if (!text.startsWith(piece, start)) break;
    pieces.push(piece);
    start += piece.length;
  }
  let fence = '';
  places.lastIndex = start;
  for (let place = places.exec(text); place; place = places.exec(text)) {
    const [, marker, rest = ''] = place;
    if (marker === undefined) {
      if (fence !== '' || places.lastIndex - start < minPieceLength) continue;
      pieces.push(text.slice(start, places.lastIndex));
      start = places.lastIndex;
    } else if (fence === '') fence = marker;
    else if (marker.startsWith(fence) && rest.trim() === '') fence = '';
  }
  return [...pieces, text.slice(start)];
}
