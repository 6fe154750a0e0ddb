import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a command came to. `output` is its standard output, `errors` its standard error. */
export interface Result {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Shows what the command writes while it writes it; it is returned as well. */
  readonly show?: boolean;
  readonly timeoutMs?: number;
}

/** A what-if takes minutes. */
const defaultTimeoutMs = 600_000;

/** Runs a program to its end; one that is not there ends with status null and says so in `errors`. */
export function run(
  command: string,
  args: readonly string[],
  { env = {}, show = false, timeoutMs = defaultTimeoutMs }: RunOptions = {},
): Promise<Result> {
  return new Promise((resolve) => {
    // On Windows az and npm are scripts, which only a shell starts.
    const shell = process.platform === 'win32';
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell,
      timeout: timeoutMs,
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (show) process.stdout.write(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
      if (show) process.stderr.write(text);
    });
    child.once('error', ({ message }) => resolve({ status: null, output, errors: message }));
    child.once('close', (status) => resolve({ status, output, errors }));
  });
}

/**
 * Runs `az` and reads the JSON that it prints.
 * @throws {Error} with what az said, when it fails.
 */
export async function az<T>(...args: string[]): Promise<T> {
  const { status, output, errors } = await run('az', [...args, '--output', 'json']);
  if (status !== 0) throw new Error(errors.trim() || `az ${args.slice(0, 3).join(' ')} failed`);
  return JSON.parse(output || 'null');
}

/**
 * Reads a resource of Azure Resource Manager.
 * @param path from `/subscriptions` on, with its `api-version`.
 */
export const azGet = <T>(path: string): Promise<T> =>
  az('rest', '--method', 'get', '--url', `https://management.azure.com${path}`);

/**
 * A role that was just granted counts after ten minutes at the latest ("it can take up to 10 minutes for changes to take
 * effect", Microsoft's article "Troubleshoot Azure RBAC").
 */
const roleDelayMs = 10 * 60_000;

interface RoleAssignments {
  readonly value: readonly { readonly properties: { readonly createdOn: string } }[];
}

/**
 * Returns when the newest role in the deployment's resource group counts everywhere, in milliseconds since 1970.
 * @throws {Error} when the deployment's outputs are not set or the roles cannot be read.
 */
export async function rolesCountAt(): Promise<number> {
  const group = `/subscriptions/${required('AZURE_SUBSCRIPTION_ID')}/resourceGroups/${required('AZURE_RESOURCE_GROUP')}`;
  const { value } = await azGet<RoleAssignments>(
    `${group}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`,
  );
  return Math.max(0, ...value.map(({ properties }) => Date.parse(properties.createdOn))) + roleDelayMs;
}

/** Between two attempts, and as long as an app takes to start at most. Tests have no half minute. */
const pauseMs = Number(process.env['RETRY_PAUSE_MS'] ?? 30_000);
const startMs = 4 * pauseMs;

/**
 * Repeats what fails while a role may not count yet, and otherwise while a fresh package may still be starting: a bad
 * package must not stay in place longer than that.
 * @param attempt tells whether it is `done`, `failed` for good, or to be repeated.
 * @returns whether it was done.
 */
export async function untilRolesCount(attempt: () => Promise<'done' | 'failed' | 'again'>): Promise<boolean> {
  const begunAt = Date.now();
  // Whoever may not read roles may still deploy.
  const countAt = await rolesCountAt().catch(() => begunAt + roleDelayMs);
  for (;;) {
    const outcome = await attempt();
    if (outcome !== 'again') return outcome === 'done';
    if (Date.now() > Math.max(countAt, begunAt + startMs)) return false;
    console.log(`A new role may not count yet: trying again in ${Math.ceil(pauseMs / 1000)} s.`);
    await sleep(pauseMs);
  }
}

/** @throws {Error} naming the variable. */
export function required(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run this after provisioning, with the deployment's outputs`);
  return value;
}

/** Runs a command's main function: an error becomes one line and the exit code 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
