import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mergeProcessCovs, type ProcessCov, type ScriptCov } from '@bcoe/v8-coverage';
import { type CoverageFile, CoverageReport, type V8CoverageEntry } from 'monocart-coverage-reports';

/** Folders of what runs in Node.js. The rest of the client, and the console, run in a browser. */
const folders = ['functions', 'shared', 'client/src', 'local', 'scripts', 'infra'];
const measured = new RegExp(`^(${folders.join('|')})/.*\\.ts$`);
const isMeasured = (path: string) => measured.test(path);

interface SourceMap {
  readonly sourcesContent: readonly string[];
  readonly sources: readonly string[];
}

/**
 * Merges the coverage of all processes, prints a table by folder with the uncovered lines, and writes `lcov.info`.
 * @param rawDir folder with the processes' output for `NODE_V8_COVERAGE`, which is deleted.
 * @param outputDir folder of the report.
 */
export async function reportCoverage(rawDir: string, outputDir: string): Promise<void> {
  const entries = await Promise.all((await mergeProcesses(rawDir)).map(withSource));
  // One after the other: of a line that ran in a file on its own only, the library would say that it did not run.
  const bundled = await toFiles(
    entries.filter(({ sourceMap }) => sourceMap),
    outputDir,
  );
  const others = await toFiles(
    entries.filter(({ sourceMap }) => !sourceMap),
    outputDir,
  );
  const files = mergeLines([...bundled, ...others]);
  for (const line of toTable(files)) console.log(line);
  await writeFile(join(outputDir, 'lcov.info'), toLcov(files));
  await rm(rawDir, { recursive: true });
}

/** Returns the lines of all measured files, and whether they ran. */
async function toFiles(entries: V8CoverageEntry[], outputDir: string): Promise<readonly CoverageFile[]> {
  const report = new CoverageReport({
    outputDir,
    clean: false,
    logging: 'error',
    reports: ['none'],
    sourceFilter: isMeasured,
    all: {
      dir: folders,
      filter: (path) => (path.endsWith('.ts') && !path.endsWith('.d.ts') ? 'js' : false),
      transformer: async (entry) => {
        entry.source = stripTypeScriptTypes(entry.source);
      },
    },
  });
  await report.add(entries);
  return (await report.generate())?.files ?? [];
}

/** Merges what the processes ran of the measured files: one process at a time, because together they need gigabytes. */
async function mergeProcesses(rawDir: string): Promise<readonly ScriptCov[]> {
  let merged: ProcessCov = { result: [] };
  for (const file of await readdir(rawDir)) {
    const { result } = parseOutput(await readFile(join(rawDir, file), 'utf8'));
    const own = result.filter(({ url }) => /^dist\/\w+\.cjs$/.test(toPath(url)) || isMeasured(toPath(url)));
    merged = mergeProcessCovs([merged, { result: own }]);
  }
  return merged.result;
}

/** Parses the output of a process. One that was killed while it wrote has left a part of it: nothing to count. */
function parseOutput(text: string): ProcessCov {
  try {
    return JSON.parse(text);
  } catch {
    return { result: [] };
  }
}

/** Returns the path of a script in the project; that of no file if it is none. */
const toPath = (url: string): string => (url.startsWith('file:') ? relative('.', fileURLToPath(url)) : '');

/** Adds the source text to the coverage of a file: of the bundle with its source map, of others with types stripped. */
async function withSource(coverage: ScriptCov): Promise<V8CoverageEntry> {
  const path = toPath(coverage.url);
  const source = await readFile(path, 'utf8');
  if (isMeasured(path)) return { ...coverage, source: stripTypeScriptTypes(source) };
  const sourceMap: SourceMap = JSON.parse(await readFile(`${path}.map`, 'utf8'));
  // The text that a unit test runs, so that what both ran of a file comes together.
  const sourcesContent = sourceMap.sourcesContent.map((text, index) =>
    isMeasured(sourceMap.sources[index]?.replace('../', '') ?? '') ? stripTypeScriptTypes(text) : text,
  );
  return { ...coverage, source, sourceMap: { ...sourceMap, sourcesContent } };
}

/** The executable lines of a file, and whether each was covered in any process. */
type Lines = Map<number, boolean>;

/** Merges the coverage of a file on its own and as part of the bundle. */
function mergeLines(files: readonly CoverageFile[]): ReadonlyMap<string, Lines> {
  const merged = new Map<string, Lines>();
  for (const { sourcePath, data } of files.toSorted((a, b) => (a.sourcePath < b.sourcePath ? -1 : 1))) {
    const lines = merged.get(sourcePath) ?? new Map();
    merged.set(sourcePath, lines);
    for (const [line, hits] of Object.entries(data?.lines ?? {})) {
      lines.set(Number(line), hits !== 0 || lines.get(Number(line)) === true);
    }
  }
  return merged;
}

/** Formats a row per folder with its line coverage, and a row per file with its uncovered lines. */
function toTable(files: ReadonlyMap<string, Lines>): string[] {
  const rooms = Map.groupBy(files, ([path]) => dirname(path));
  return [...rooms].flatMap(([room, own]) => {
    const all = own.flatMap(([, lines]) => [...lines.values()]);
    const share = (100 * all.filter(Boolean).length) / all.length;
    return [
      `${room.padEnd(24)}${share.toFixed(1).padStart(6)} % of ${all.length} lines`,
      ...own.flatMap(([path, lines]) => {
        const missed = missedLines(lines);
        return missed === '' ? [] : [`  ${path}: ${missed}`];
      }),
    ];
  });
}

/** Formats the lines for editors and other tools, which read this format. */
const toLcov = (files: ReadonlyMap<string, Lines>): string =>
  [...files]
    .flatMap(([path, lines]) => [
      `SF:${path}`,
      ...[...lines].map(([line, ran]) => `DA:${line},${ran ? 1 : 0}`),
      'end_of_record\n',
    ])
    .join('\n');

/** Formats the uncovered lines as ranges. */
function missedLines(lines: Lines): string {
  const ranges: [first: number, last: number][] = [];
  for (const [line, ran] of [...lines].toSorted(([a], [b]) => a - b)) {
    const last = ranges.at(-1);
    if (ran) continue;
    if (last && line === last[1] + 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}
