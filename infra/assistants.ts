import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import schema from '../shared/assistants/assistant.schema.json' with { type: 'json' };
import { schemaFaults } from './schema.ts';

/**
 * Bicep can list a folder (`loadDirectoryFileInfo`) but loads only files that are named in the source
 * (`loadJsonContent` takes a constant), so the list is written for it. `main.bicep` refuses to deploy while a file of
 * the folder is missing from the list; the contents are always read by Bicep itself and cannot be stale.
 */
export function listing(files: readonly string[]): string {
  const each = (line: (file: string) => string) => files.map((file) => `  ${line(file)}\n`).join('');
  return `metadata description = 'The assistants, one file each. Written by "node infra/assistants.ts"; do not edit.'

@export()
@description('Every assistant of infra/assistants.')
var assistants = [
${each((file) => `loadJsonContent('assistants/${file}')`)}]

@export()
@description('The files that are listed above.')
var assistantFiles = [
${each((file) => `'${file}'`)}]
`;
}

/** The limit that `main.bicep` sets for all assistants together, in characters of JSON. */
export function sizeLimit(folder: string): number {
  const limit = /^var maxAssistantsLength = (\d+)$/m.exec(readFileSync(join(folder, 'main.bicep'), 'utf8'));
  if (!limit) throw new Error('main.bicep has no line "var maxAssistantsLength = <number>"');
  return Number(limit[1]);
}

/** What is wrong with the assistants of a folder, each fault with its file; empty when nothing is. */
export function folderFaults(folder: string): string[] {
  const files = assistantFiles(folder);
  const faults: string[] = [];
  const assistants: { id?: unknown }[] = [];
  for (const file of files) {
    if (!/^[a-z0-9-]+\.json$/.test(file)) faults.push(`${file}: name it with a-z, 0-9 and "-" only`);
    try {
      const assistant = JSON.parse(readFileSync(join(folder, 'assistants', file), 'utf8'));
      faults.push(...schemaFaults(assistant, schema).map((fault) => `${file}: ${fault}`));
      if (assistants.some(({ id }) => id === assistant.id)) faults.push(`${file}: its id is taken`);
      assistants.push(assistant);
    } catch (error) {
      faults.push(`${file}: is not JSON (${error instanceof Error ? error.message : error})`);
    }
  }
  if (files.length === 0) faults.push('infra/assistants holds no assistant');
  const length = JSON.stringify(assistants).length;
  const limit = sizeLimit(folder);
  if (length > limit) {
    faults.push(
      `the assistants take ${length} of at most ${limit} characters together: shorten instructions`,
    );
  }
  return faults;
}

export const assistantFiles = (folder: string): string[] =>
  readdirSync(join(folder, 'assistants'))
    .filter((file) => file.endsWith('.json'))
    .sort();

/** The value of the `ASSISTANTS` setting, for what runs on this machine with the settings of the cloud. */
export const assistantsSetting = (folder: string): string =>
  JSON.stringify(
    assistantFiles(folder).map((file) => JSON.parse(readFileSync(join(folder, 'assistants', file), 'utf8'))),
  );

/** The names of the settings with tokens for the MCP servers of the assistants in such a value. */
export const tokenSettings = (assistants: string): string[] =>
  (JSON.parse(assistants) as { tools?: { authorizationSetting?: string }[] }[]).flatMap(({ tools = [] }) =>
    tools.flatMap(({ authorizationSetting = [] }) => authorizationSetting),
  );

/** Writes the list for Bicep (azd runs this before anything is installed, so it needs nothing but Node), or with `--check` only says whether it and the assistants are right. */
function main(args: string[]): number {
  const folder = import.meta.dirname;
  const path = join(folder, 'assistants.bicep');
  const wanted = listing(assistantFiles(folder));
  const faults = folderFaults(folder);
  if (args.includes('--check')) {
    if (readFileSync(path, 'utf8') !== wanted)
      faults.push('assistants.bicep is stale: run "node infra/assistants.ts"');
  } else if (faults.length === 0) {
    writeFileSync(path, wanted);
  }
  for (const fault of faults) console.error(fault);
  if (faults.length === 0) console.log(`${assistantFiles(folder).length} assistant(s), all valid`);
  return faults.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
