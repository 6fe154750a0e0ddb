import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { bareEnv, projectFolder } from '../support/process.ts';

const standIns = join(import.meta.dirname, 'stand-ins');

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The calls of stand-ins, one a line, in their order. */
  readonly calls: readonly string[];
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a program with the stand-ins of `az`, `gh` and `npm` before the real ones, and nothing else of this environment. */
export function runWithStandIns(
  file: string,
  args: readonly string[],
  { env = {}, cwd = projectFolder }: RunOptions = {},
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'stand-ins-'));
  const log = join(folder, 'log');
  const { HOME = '' } = process.env;
  const bare = bareEnv();
  const settings = {
    ...bare,
    HOME,
    PATH: `${standIns}${delimiter}${bare['PATH']}`,
    RETRY_PAUSE_MS: '1',
    STAND_IN_FOLDER: folder,
    STAND_IN_LOG: log,
    ...env,
  };
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env: settings, encoding: 'utf8' }, (error, stdout, stderr) => {
      const calls = readCalls(log);
      rmSync(folder, { recursive: true });
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr, calls });
    });
  });
}

function readCalls(log: string): string[] {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}
