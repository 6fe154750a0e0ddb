import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import MiniSearch from 'minisearch';
import { termsOf, toTerm } from './terms.ts';

/** A section of a document: the text below a heading. */
export interface Section {
  id: string;
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

/** Indexes the Markdown files in a folder. */
export function openDocuments(folder: string): DocumentIndex {
  const sections = markdownFiles(folder).flatMap((name) =>
    splitSections(name, readFileSync(join(folder, name), 'utf8')),
  );
  const byId = new Map(sections.map((section) => [section.id, section]));
  const index = new MiniSearch<Section>({ fields: ['title', 'heading', 'text'], processTerm: toTerm });
  index.addAll(sections);
  return (question) => {
    const words = termsOf(question.slice(0, searchedLength));
    const needed = Math.min(2, Math.ceil(words.size / 3));
    const results = index
      .search([...words].join(' '), { boost: { title: 2, heading: 3 }, processTerm: (term) => term })
      .filter((result) => result.queryTerms.length >= needed);
    const best = results[0]?.score ?? 1;
    return results.flatMap(({ id, score }) => {
      const section = byId.get(id);
      return section ? [{ ...section, score: score / best }] : [];
    });
  };
}

function markdownFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .sort();
}

function splitSections(filename: string, markdown: string): Section[] {
  const title = /^# (.+)$/m.exec(markdown)?.[1] ?? filename;
  const parts = markdown.split(/^(?=#{1,3} )/m).filter((part) => part.startsWith('#'));
  const sections = parts.map((part, index) => {
    const [line = '', ...rest] = part.split('\n');
    const id = `${filename}#${index}`;
    return { id, filename, title, heading: line.replace(/^#+ /, ''), text: rest.join('\n').trim() };
  });
  return sections.filter((section) => section.text !== '');
}
