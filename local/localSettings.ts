import { readFileSync } from 'node:fs';

export type Settings = Readonly<Record<string, string | undefined>>;

/** Returns the environment, completed with the values of `local.settings.json` where that exists. */
export function findSettings(env: Settings = process.env): Settings {
  const file = env['LOCAL_SETTINGS_FILE'] || 'local.settings.json';
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return env;
  }
  const present = Object.entries(env).filter(([, value]) => value);
  return { ...JSON.parse(text).Values, ...Object.fromEntries(present) };
}
