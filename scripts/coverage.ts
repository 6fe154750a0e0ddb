import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CoverageFile, CoverageReport, type V8CoverageEntry } from 'monocart-coverage-reports';

const measuredFolders = /^(functions|shared|local)\//;

interface SourceMap {
  readonly sourcesContent: readonly string[];
  readonly sources: readonly string[];
}

interface Dump {
  readonly result: readonly V8CoverageEntry[];
  readonly 'source-map-cache'?: Readonly<Record<string, { readonly data: SourceMap | null }>>;
}

/**
 * Merges the coverage of all processes, prints a table by folder with the uncovered lines, and writes `lcov.info`.
 * @param rawDir folder with the processes' output for `NODE_V8_COVERAGE`.
 * @param outputDir folder of the report.
 */
export async function reportCoverage(rawDir: string, outputDir: string): Promise<void> {
  const report = new CoverageReport({
    outputDir,
    clean: false,
    logging: 'error',
    reports: ['lcovonly'],
    sourceFilter: (path) => measuredFolders.test(path),
    all: {
      dir: ['functions', 'shared', 'local'],
      filter: (path) => (path.endsWith('.ts') && !path.endsWith('.d.ts') ? 'js' : false),
      transformer: async (entry) => {
        entry.source = stripTypeScriptTypes(entry.source);
      },
    },
  });
  for (const file of await readdir(rawDir)) {
    const dump = parseDump(await readFile(join(rawDir, file), 'utf8'));
    const entries = await Promise.all(dump.result.map((entry) => withSource(entry, dump)));
    await report.add(entries.filter((entry) => entry !== undefined));
  }
  const results = await report.generate();
  for (const line of toTable(mergeLines(results?.files ?? []))) console.log(line);
}

/** Parses the output of a process. One that was killed while it wrote has left a part of it: nothing to count. */
function parseDump(text: string): Dump {
  try {
    return JSON.parse(text);
  } catch {
    return { result: [] };
  }
}

/** Adds the source text to the coverage of a file: of the bundle with its source map, of others with types stripped. */
async function withSource(entry: V8CoverageEntry, dump: Dump): Promise<V8CoverageEntry | undefined> {
  if (!entry.url.startsWith('file:')) return undefined;
  const path = relative('.', fileURLToPath(entry.url));
  const sourceMap = dump['source-map-cache']?.[entry.url]?.data;
  if (path.startsWith('dist/') && sourceMap) {
    // The text that a unit test runs, so that what both ran of a file comes together.
    const sourcesContent = sourceMap.sourcesContent.map((text, index) =>
      measuredFolders.test(sourceMap.sources[index]?.replace('../', '') ?? '')
        ? stripTypeScriptTypes(text)
        : text,
    );
    return { ...entry, sourceMap: { ...sourceMap, sourcesContent }, source: await readFile(path, 'utf8') };
  }
  if (!measuredFolders.test(path)) return undefined;
  return { ...entry, source: stripTypeScriptTypes(await readFile(path, 'utf8')) };
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
