const stopWords = new Set(
  `a about again all also an and any are as at be but by can code codebase continue could deeper describe detail details
  do does each elaborate example examples expand explain for from further get give go had has have help how i if in into
  is it its just know let like longer me more most my need no not of ok on one or our out over please project say see
  should show so some summarize summary tell than thank thanks that the their them then there these they this those to
  understand up us use used using want was way we were what when where which who why will with work works would you
  your`.split(/\s+/),
);

/** Returns the stem of a word; null for a stop word. */
export function toTerm(word: string): string | null {
  const term = word.toLowerCase();
  if (term.length < 2 || stopWords.has(term)) return null;
  return term.replace(/(?<=\w{3})(ings?|ed|es|s|e)$/, '');
}

/** Returns the distinct terms of a text, without stop words. Splits names such as `get_weather` and `getWeather`. */
export function termsOf(text: string): Set<string> {
  const words = text.replace(/(?<=\p{Ll})(?=\p{Lu})/gu, ' ').split(/[^\p{L}\p{N}]+/u);
  return new Set(words.flatMap((word) => toTerm(word) ?? []));
}
