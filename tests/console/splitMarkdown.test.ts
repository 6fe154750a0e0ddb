import { expect, test } from '@jest/globals';
import { splitMarkdown } from '../../console/src/splitMarkdown.ts';

/** Blocks that look different when they are divided. */
const blocks = [
  '## Heading',
  '**Bold** text, and ```code```\nin it.',
  '- an item\n\n  with a second paragraph\n\n- another one\n\n      indented code\n\n* another list',
  '1. one\n\n   ```ts\n   const a = 1;\n\n   const b = 2;\n   ```\n\n2. two',
  '````md\n```ts\nconst fence = `in a fence`;\n```\n\n# No heading\n\n~~~\n\nStill code\n````',
  '~~~\n# No heading\n\n```\n\nStill code\n~~~',
  '```inline``` code, and no fence',
  '| a | b |\n| - | - |\n| 1 | 2 |',
  '> A quotation',
];

test('a text is divided between its blocks, and stays so while it grows', () => {
  const starts = new Set<number>();
  let text = '';
  for (let index = 0; text.length < 12_000; index++) {
    starts.add(text.length);
    text += `${blocks[(index * 4) % blocks.length]}\n\n`;
  }
  const pieces = splitMarkdown(text);
  expect(pieces.join('')).toBe(text);
  expect(pieces.length).toBeGreaterThan(3);
  let start = 0;
  for (const piece of pieces) {
    expect(starts).toContain(start);
    start += piece.length;
  }

  let grown: readonly string[] = [];
  for (let length = 0; length <= text.length; length += 5) {
    const next = splitMarkdown(text.slice(0, length), grown);
    expect(next.slice(0, grown.length - 1)).toEqual(grown.slice(0, -1));
    grown = next;
  }
  expect(splitMarkdown(text, grown)).toEqual(pieces);
  expect(splitMarkdown(`Other ${text}`, pieces)).toEqual(splitMarkdown(`Other ${text}`));
});

test('a text with definitions, on which links depend, is one piece', () => {
  const text = `${'See [the guide][1].\n\n'.repeat(200)}[1]: https://example.com/`;
  expect(splitMarkdown(text)).toEqual([text]);
});
