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
  const file = resolve(projectFolder, env['LOCAL_SETTINGS_FILE'] || 'local.settings.json');
  return { ...readValues(file), ...present(env) };
}

/**
 * Returns the settings for a command beside the service: the environment, then what a running `npm start` or
 * `npm run dev-services` has started, then `local.settings.json`.
 */
export function findSettings(env: Settings = process.env): Settings {
  const settings = readLocalSettings(env);
  return { ...settings, ...readRunningSettings(localFolderOf(settings)), ...present(env) };
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
