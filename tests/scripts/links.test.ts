import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { brokenLinks } from '../../scripts/links.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'links-test-'));
  await mkdir(join(folder, 'docs'));
  await mkdir(join(folder, '.github'));
  await mkdir(join(folder, 'node_modules'));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (file: string, text: string) => writeFile(join(folder, file), text);

const guide = `# The guide

## Run \`npm test\` (again)
## What's new?
## Twice
## Twice
`;

describe('links between Markdown files', () => {
  test('pass when file and heading are there', async () => {
    await write('docs/guide.md', guide);
    await write(
      'README.md',
      `# Read me
[a](docs/guide.md) [b](docs/guide.md#the-guide) [c](docs/guide.md#run-npm-test-again) [d](docs/guide.md#whats-new)
[e](docs/guide.md#twice-1 "title") [f](#read-me) [g](docs) ![h](<docs/guide.md>)
[i]: docs/guide.md#twice`,
    );
    expect(await brokenLinks(folder)).toEqual([]);
  });

  test.each([
    ['a file that is not there', '[x](docs/gone.md)', 'docs/gone.md'],
    ['a heading that is not there', '[x](docs/guide.md#gone)', 'docs/guide.md#gone'],
    ['a heading of its own that is not there', '[x](#gone)', '#gone'],
    ['a heading said less often', '[x](docs/guide.md#twice-2)', 'docs/guide.md#twice-2'],
    ['a reference', '[x]: gone.md', 'gone.md'],
    ['an image', '![x](gone.png)', 'gone.png'],
  ])('are reported with their place for %s', async (_name, link, target) => {
    await write('docs/guide.md', guide);
    await write('README.md', `# Read me\n\n${link}\n`);
    expect(await brokenLinks(folder)).toEqual([`README.md:3: ${target}`]);
  });

  test('are checked below .github, relative to their own file, and not in dependencies', async () => {
    await write('.github/template.md', '[x](../README.md) [y](README.md)');
    await write('README.md', '');
    await write('node_modules/other.md', '[x](gone.md)');
    expect(await brokenLinks(folder)).toEqual(['.github/template.md:1: README.md']);
  });

  test('do not count in code, and do not lead to other sites', async () => {
    await write(
      'README.md',
      '```md\n[x](gone.md)\n# Gone\n```\n`[x](gone.md)` [y](https://example.com/gone.md)\n',
    );
    expect(await brokenLinks(folder)).toEqual([]);
  });
});
