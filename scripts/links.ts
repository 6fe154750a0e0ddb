import { glob, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * `npm run lint:links`: checks that every relative link in the Markdown files leads to a file, and every anchor to a
 * heading. Works offline: links to other sites are not followed.
 */

const ignoredFolders = new Set(['node_modules', 'dist', '.git', '.local']);

/** Inline links and images, and reference definitions; titles are left out. */
const linkPattern =
  /!?\[[^\]]*\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)|^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?/gm;

/**
 * Finds the broken links of a folder's Markdown files, subfolders included.
 * @returns one line per broken link: file, line number and target.
 */
export async function brokenLinks(folder: string): Promise<string[]> {
  const pages = new Map<string, string>();
  const files = glob('**/*.md', { cwd: folder, exclude: (name) => ignoredFolders.has(name) });
  // Glob patterns do not match names that start with a dot.
  const hidden = glob('.github/**/*.md', { cwd: folder });
  for (const file of [...(await Array.fromAsync(files)), ...(await Array.fromAsync(hidden))].sort()) {
    const path = join(folder, file);
    pages.set(path, withoutCode(await readFile(path, 'utf8')));
  }
  const broken: string[] = [];
  for (const [path, text] of pages) {
    for (const match of text.matchAll(linkPattern)) {
      const target = match[1] ?? match[2] ?? '';
      if (await isReachable(target, path, pages)) continue;
      const line = text.slice(0, match.index).split('\n').length;
      broken.push(`${relative(folder, path)}:${line}: ${target}`);
    }
  }
  return broken;
}

async function isReachable(target: string, from: string, pages: ReadonlyMap<string, string>) {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return true;
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : resolve(dirname(from), decodeURI(file));
  const page = pages.get(path);
  if (anchor !== undefined && page !== undefined) return anchorsOf(page).has(anchor);
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** Returns the anchors that GitHub creates for the headings of a page. */
function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  for (const [, heading = ''] of page.matchAll(/^#{1,6} +(.+?)(?: +#+)? *$/gm)) {
    const slug = heading
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
      .replaceAll(' ', '-');
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/** Blanks out fenced blocks and code spans with a bracket, preserving line numbers and headings. */
const withoutCode = (text: string): string =>
  text
    .replace(/^(```+|~~~+)[^\n]*\n[\s\S]*?^\1 *$/gm, (block) => block.replace(/[^\n]/g, ''))
    .replace(/`[^`\n]*`/g, (span) => span.replace(/[[\]]/g, ''));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const broken = await brokenLinks(join(import.meta.dirname, '..'));
  for (const link of broken) console.error(`broken link: ${link}`);
  if (broken.length > 0) process.exitCode = 1;
}
