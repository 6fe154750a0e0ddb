import type { Composing, Draft } from './composing.ts';
import { type Annotation, toDraft, toQuotation } from './composing.ts';
import type { Match } from './documents.ts';
import { searchStores } from './fileSearch.ts';
import { newId } from './ids.ts';
import { textOf } from './items.ts';
import { storeIdsOf } from './references.ts';
import { termsOf } from './terms.ts';
import type { Item, OutputItem } from './types.ts';

const quotedSections = 3;
const searchedQuestions = 4;
/** Minimum score of a quoted section, relative to the best match. */
const lowestScore = 0.3;

/** Quotes the documents that the request may search. */
export function quoteDocuments({ engine, request, history }: Composing): Draft | null {
  if (!request.tools.some((tool) => tool['type'] === 'file_search')) return null;
  const storeIds = request.tools.flatMap(storeIdsOf);
  const questions = lastQuestions([...history, ...request.input]);
  const query = toQuery(questions);
  const found = searchStores(engine, storeIds, query)
    .filter((match) => match.score >= lowestScore)
    .slice(0, quotedSections);
  const items = [toSearchCall(query, found)];
  return toDraft(textFor(found), {
    items,
    annotations: annotationsOf(found),
    readTexts: found.map(({ text }) => text),
  });
}

/** Returns the texts of the newest questions, newest first. */
function lastQuestions(items: readonly Item[]): string[] {
  const questions: string[] = [];
  for (let index = items.length - 1; index >= 0 && questions.length < searchedQuestions; index -= 1) {
    const item = items[index];
    if (item?.type === 'message' && item.role === 'user') questions.push(textOf(item));
  }
  return questions;
}

/** Returns the newest question, with those before it as long as it names no subject, like "And in more detail?". */
function toQuery(questions: readonly string[]): string {
  const first = questions.findIndex((question) => termsOf(question).size > 0);
  return questions.slice(0, first + 1).join('\n') || (questions[0] ?? '');
}

const opening = "The project's documents say:";

function toSection({ heading, filename, text }: Match): string {
  return `\n\n**${heading}** (\`${filename}\`)\n\n${toQuotation(text)}`;
}

function textFor(found: readonly Match[]): string {
  if (found.length > 0) return opening + found.map(toSection).join('');
  return "I searched the project's documents and found nothing about this question.";
}

function annotationsOf(found: readonly Match[]): Annotation[] {
  let index = opening.length;
  return found.map((match) => {
    index += toSection(match).length;
    return { type: 'file_citation', file_id: match.fileId, filename: match.filename, index };
  });
}

function toSearchCall(query: string, found: readonly Match[]): OutputItem {
  const results = found.map(({ fileId, filename, score, text }) => {
    return { file_id: fileId, filename, score, text, attributes: {} };
  });
  return { id: newId('fs'), type: 'file_search_call', status: 'completed', queries: [query], results };
}
