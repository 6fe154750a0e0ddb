import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';

export type JsonObject = Readonly<Record<string, unknown>>;

/** An object of an export, and where it is. */
export interface ExportedObject {
  /** Value of `object`, such as `thread.message`. */
  readonly kind: string;
  readonly value: JsonObject;
  readonly file: string;
  /** For the operator: the file, and the line or the positions in it. */
  readonly place: string;
}

/** A page of a list route. */
export interface ExportedPage {
  readonly first: ExportedObject | undefined;
  readonly hasMore: boolean;
}

/** The content of an export. */
export interface Export {
  readonly objects: readonly ExportedObject[];
  readonly pages: readonly ExportedPage[];
  /** Files that are not read. */
  readonly otherFiles: readonly string[];
  /** What cannot be understood: where, and why. None of them quotes content. */
  readonly issues: readonly string[];
}

/** Endings of the files that are read in a folder. */
const lineFormats = ['.jsonl', '.ndjson'];
const formats = ['.json', ...lineFormats];

/**
 * Reads an export: a file, or a folder with its subfolders, except hidden ones. A file holds JSON or a JSON value in each
 * line: pages of a list route, arrays and single objects, in any mixture.
 * @throws {Error} if the path cannot be read.
 */
export async function readExport(path: string): Promise<Export> {
  const { files, otherFiles } = await findFiles(path);
  const collected: Collected = { objects: [], pages: [], issues: [] };
  for (const { file, name } of files) {
    for await (const { value, place } of readValues(file, name, collected.issues)) {
      flatten(value, { file: name, place, threadId: undefined }, collected);
    }
  }
  return { ...collected, otherFiles };
}

interface Collected {
  readonly objects: ExportedObject[];
  readonly pages: ExportedPage[];
  readonly issues: string[];
}

const unreadable = (path: string): never => {
  throw new Error(`${path} cannot be read.`);
};

async function findFiles(path: string) {
  const isFolder = (await stat(path).catch(() => unreadable(path))).isDirectory();
  if (!isFolder) return { files: [{ file: path, name: path }], otherFiles: [] };
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => unreadable(path));
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ file, name: relative(path, file) }))
    .filter(({ name }) => !name.split(/[/\\]/).some((part) => part.startsWith('.')))
    // With pages named 2 and 10 in their order.
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const isExport = ({ name }: { name: string }) => formats.includes(extname(name).toLowerCase());
  return {
    files: files.filter(isExport),
    otherFiles: files.filter((file) => !isExport(file)).map(({ name }) => name),
  };
}

interface Parsed {
  readonly value: unknown;
  readonly place: string;
}

/** Reads a file as one value, or each of its lines as one. */
async function* readValues(file: string, name: string, issues: string[]): AsyncGenerator<Parsed> {
  let lines: Iterable<string> | AsyncIterable<string> = readLines(file);
  if (!lineFormats.includes(extname(name).toLowerCase())) {
    const text = withoutMark(await readFile(file, 'utf8').catch(() => unreadable(file)));
    const whole = tryParse(text);
    if (whole) return yield { value: whole.value, place: name };
    lines = text.split('\n');
  }
  const broken: string[] = [];
  let [number, values] = [0, 0];
  for await (const line of lines) {
    number++;
    const place = `${name}:${number}`;
    const parsed = tryParse(number === 1 ? withoutMark(line) : line);
    if (parsed) {
      values++;
      yield { value: parsed.value, place };
    } else if (line.trim() !== '') broken.push(`${place}: no JSON`);
  }
  issues.push(...(values === 0 && broken.length > 1 ? [`${name}: no JSON`] : broken));
}

/** Reads the lines of a file, which may be longer than a string can be. Only a line feed ends one, as in JSON Lines. */
async function* readLines(file: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const piece of createReadStream(file, { encoding: 'utf8', highWaterMark: pieceBytes })) {
      const lines: string[] = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch {
    unreadable(file);
  }
  yield rest;
}

const pieceBytes = 1024 * 1024;

/** Removes a byte order mark. */
const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '');

/** The parser's own message quotes the text, so it is dropped. */
function tryParse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

interface Position {
  readonly file: string;
  readonly place: string;
  /** The thread in which the value is. */
  readonly threadId: unknown;
}

function flatten(value: unknown, position: Position, collected: Collected): void {
  const { file, place, threadId } = position;
  const inner = (part: string) => ({ ...position, place: `${place}${part}` });
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) flatten(item, inner(`[${index}]`), collected);
    return;
  }
  if (!isObject(value)) return void collected.issues.push(`${place}: neither an object nor an array`);
  const { object: kind, data, has_more: hasMore } = value;
  if (kind === 'list' || (kind === undefined && Array.isArray(data))) {
    if (!Array.isArray(data)) return void collected.issues.push(`${place}: a list without data`);
    const start = collected.objects.length;
    flatten(data, inner('.data'), collected);
    collected.pages.push({ first: collected.objects[start], hasMore: hasMore === true });
    return;
  }
  if (typeof kind !== 'string')
    return void collected.issues.push(`${place}: the object does not say what it is`);
  const { messages, ...rest } = value;
  const object =
    kind === 'thread.message' && threadId !== undefined ? { thread_id: threadId, ...value } : value;
  collected.objects.push({ kind, value: kind === 'thread' ? rest : object, file, place });
  if (kind === 'thread' && messages !== undefined && messages !== null) {
    flatten(messages, { ...inner('.messages'), threadId: value['id'] }, collected);
  }
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
