import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLocked } from './lock.ts';

/* The settings of commands on a developer's machine. */

export type Settings = Readonly<Record<string, string | undefined>>;

/** Folder of package.json and host.json. */
export const projectFolder = fileURLToPath(new URL('..', import.meta.url));

/**
 * Returns the environment, completed with `local.settings.json` (or the file that LOCAL_SETTINGS_FILE names) where it
 * exists. The environment wins; its empty values count as absent.
 * @throws {Error} when the file is there but cannot be used.
 */
export function readLocalSettings(env: Settings = process.env): Settings {
  return merge(readValues(settingsFileOf(env)), present(env));
}

/**
 * Returns the settings for `npm start`: as {@link readLocalSettings}, but without what the file has from
 * `local.settings.sample.json` and names a dev service, since `npm start` starts its own.
 */
export function readStartSettings(env: Settings = process.env): Settings {
  const values = readValues(settingsFileOf(env));
  const sample = readValues(join(projectFolder, 'local.settings.sample.json'));
  const own = Object.entries(values).filter(
    ([name, value]) => !devServiceSettings.includes(name) || value !== sample[name],
  );
  return merge(Object.fromEntries(own), present(env));
}

const settingsFileOf = (env: Settings): string =>
  resolve(projectFolder, env['LOCAL_SETTINGS_FILE'] || 'local.settings.json');

/** Settings that name the dev services in `local.settings.sample.json`. */
const devServiceSettings = [
  'JWT_ISSUER',
  'OPENAI_BASE_URL',
  'TABLES_CONNECTION_STRING',
  'QUEUES_CONNECTION_STRING',
  'AzureWebJobsStorage',
  'ASSISTANTS',
];

/**
 * Returns the settings for a command beside the service: the environment, then what a running `npm start` or
 * `npm run dev-services` has started, then `local.settings.json`.
 */
export function findSettings(env: Settings = process.env): Settings {
  const settings = readLocalSettings(env);
  const running = readRunningSettings(localFolderOf(settings));
  return merge(merge(readValues(settingsFileOf(env)), running), present(env));
}

/** Settings that belong together: where one source names a service, no other adds a key or an address to it. */
const groups = [
  { names: ['JWT_ISSUER'], rest: ['JWT_JWKS_URI'] },
  { names: ['OPENAI_BASE_URL'], rest: ['OPENAI_API_KEY', 'OPENAI_TOKEN_SCOPE'] },
  { names: ['TABLES_ENDPOINT', 'TABLES_CONNECTION_STRING'], rest: [] },
  { names: ['QUEUES_ENDPOINT', 'QUEUES_CONNECTION_STRING'], rest: [] },
];

/** Merges two sources of settings; the second wins. */
function merge(first: Settings, second: Settings): Settings {
  const replaced = groups
    .filter(({ names }) => names.some((name) => second[name]))
    .flatMap(({ names, rest }) => [...names, ...rest]);
  const kept = Object.entries(first).filter(([name]) => !replaced.includes(name));
  return { ...Object.fromEntries(kept), ...second };
}

/** Returns the folder of the data that is kept between starts. Git-ignored; may be deleted. */
export const localFolderOf = (settings: Settings): string =>
  resolve(projectFolder, settings['LOCAL_DATA_DIR'] || '.local');

/** Returns the file in which a running service records the settings of what it started. */
export const runningSettingsFile = (localFolder: string): string => join(localFolder, 'running.json');

/** Returns what the service that uses a data folder has started; nothing when there is none. */
function readRunningSettings(localFolder: string): Settings {
  // A killed process leaves its file behind, but not its lock.
  if (!isLocked(localFolder)) return {};
  const text = readText(runningSettingsFile(localFolder));
  return text === undefined ? {} : JSON.parse(text);
}

const present = (env: Settings): Settings =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));

/** Reads `Values`, the environment variables that Core Tools sets. */
function readValues(file: string): Settings {
  const text = readText(file);
  if (text === undefined) return {};
  const { IsEncrypted, Values } = parse(file, text);
  if (IsEncrypted) throw new Error(`${file} is encrypted; run "func settings decrypt".`);
  return present(
    Object.fromEntries(Object.entries(Values ?? {}).map(([name, value]) => [name, String(value ?? '')])),
  );
}

function parse(file: string, text: string): { IsEncrypted?: boolean; Values?: Record<string, unknown> } {
  try {
    const content = JSON.parse(text);
    if (typeof content === 'object' && content !== null) return content;
  } catch {
    // The parser's own message quotes the text, which may be a key.
  }
  throw new Error(`${file} is not a JSON object.`);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Error(`${file} cannot be read: ${message}`);
  }
}
