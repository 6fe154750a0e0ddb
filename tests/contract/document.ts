import { readFileSync } from 'node:fs';

/** A fenced block of a Markdown document. */
export interface Block {
  /** Language and headings, numbered where that is not unique: `json at Error Responses › 404 Not Found (2)`. */
  readonly name: string;
  /** As it stands, without the indentation that its fence has. */
  readonly text: string;
}

const headingOrBlock =
  /^(?<marks>#{2,6}) (?<title>.+)$|^(?<indent> *)```(?<language>\w*)\n(?<body>[\s\S]*?)^\k<indent>```$/gm;

/**
 * All fenced blocks of `usage-examples.md`, the client-side contract, in their order.
 * @throws {Error} when the document has a fence that this reader does not understand.
 */
export function readBlocks(): readonly Block[] {
  const document = readFileSync(new URL('./usage-examples.md', import.meta.url), 'utf8');
  const path: string[] = [];
  const seen = new Map<string, number>();
  const blocks: Block[] = [];
  for (const { groups = {} } of document.matchAll(headingOrBlock)) {
    const { marks, title = '', indent = '', language, body = '' } = groups;
    if (marks !== undefined) {
      path.length = marks.length - 2;
      path.push(title.trim());
      continue;
    }
    const name = `${language} at ${path.filter(Boolean).join(' › ')}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const lines = body
      .split('\n')
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
    blocks.push({ name: count === 1 ? name : `${name} (${count})`, text: lines.join('\n') });
  }
  const fences = document.match(/^\s*(```|~~~)/gm) ?? [];
  if (fences.length !== 2 * blocks.length) throw new Error('usage-examples.md has a fence of another form');
  return blocks;
}
