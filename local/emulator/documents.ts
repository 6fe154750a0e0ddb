import { extname } from 'node:path';
import MiniSearch, { type SearchResult } from 'minisearch';
import { termsOf, toTerm } from './terms.ts';

/** A file to search. */
export interface Source {
  fileId: string;
  filename: string;
  content: Buffer;
}

/** A section of a document: the text below a heading. */
export interface Section {
  id: string;
  fileId: string;
  filename: string;
  title: string;
  heading: string;
  text: string;
}

export interface Match extends Section {
  /** Relative to the best match, whose score is 1. */
  score: number;
}

/** Finds the sections relevant to a question, best first; none if too few of its words match. */
export type DocumentIndex = (question: string) => Match[];

// A message may have 256,000 characters; its beginning is enough for a search.
const searchedLength = 2000;

/** Length of the parts into which a text without headings is split, in characters. */
const partLength = 1200;

/** Indexes documents: Markdown by headings, other text in parts, other formats by their name only. */
export function indexDocuments(sources: readonly Source[]): DocumentIndex {
  const sections = sources.flatMap(splitSections);
  const byId = new Map(sections.map((section) => [section.id, section]));
  const index = new MiniSearch<Section>({ fields: ['title', 'heading', 'text'], processTerm: toTerm });
  index.addAll(sections);
  return (question) => {
    const words = termsOf(question.slice(0, searchedLength));
    const results = index
      .search([...words].join(' '), { boost: { title: 2, heading: 3 }, processTerm: (term) => term })
      .filter((result) => isRelevant(result, words.size));
    const best = results[0]?.score ?? 1;
    return results.flatMap(({ id, score }) => {
      const section = byId.get(id);
      return section ? [{ ...section, score: score / best }] : [];
    });
  };
}

/** Returns whether a section matches two words, or the only one, or one of few in its title or heading. */
function isRelevant({ queryTerms, match }: SearchResult, wordCount: number): boolean {
  if (queryTerms.length >= 2 || wordCount === 1) return true;
  const fields = Object.values(match).flat();
  return wordCount <= 3 && fields.some((field) => field !== 'text');
}

function splitSections({ fileId, filename, content }: Source): Section[] {
  const text = isText(content)
    ? content.toString()
    : `The emulator does not read ${extname(filename)} files.`;
  const title = /^# (.+)$/m.exec(text)?.[1] ?? filename;
  const parts = extname(filename) === '.md' ? splitMarkdown(text) : [];
  const found = parts.length > 0 ? parts : splitText(text).map((part) => ({ heading: filename, text: part }));
  return found
    .map((part, index) => ({ id: `${fileId}#${index}`, fileId, filename, title, ...part }))
    .filter((section) => section.text !== '');
}

function splitMarkdown(markdown: string): { heading: string; text: string }[] {
  const parts = markdown.split(/^(?=#{1,3} )/m).filter((part) => part.startsWith('#'));
  return parts.map((part) => {
    const [line = '', ...rest] = part.split('\n');
    return { heading: line.replace(/^#+ /, ''), text: rest.join('\n').trim() };
  });
}

/** Joins the paragraphs of a text to parts of about equal length. */
function splitText(text: string): string[] {
  const parts: string[] = [];
  for (const paragraph of text.split(/\n\s*\n/).map((one) => one.trim())) {
    const last = parts.at(-1);
    if (last === undefined || last.length + paragraph.length > partLength) parts.push(paragraph);
    else parts[parts.length - 1] = `${last}\n\n${paragraph}`;
  }
  return parts;
}

function isText(content: Buffer): boolean {
  return !content.subarray(0, 1000).includes(0) && !content.subarray(0, 5).equals(Buffer.from('%PDF-'));
}
