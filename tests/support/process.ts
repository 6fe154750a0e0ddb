import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/** Environment of a process that tests start: PATH and where compiled code is kept, nothing else of their own. */
export function bareEnv(): Record<string, string> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
}

/** Whether processes write what they have run, which takes them a while at their end. */
export const isMeasured = process.env['NODE_V8_COVERAGE'] !== undefined;

/** How long a process may take to end by itself, in milliseconds. */
const endMs = isMeasured ? 30_000 : 1_000;

export interface TestProcess {
  readonly child: ChildProcess;
  /** From its line of JSON. */
  readonly url: string;
  /** Output to stdout and stderr so far. */
  output(): string;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Sends SIGKILL, like a crash. */
  kill(): Promise<void>;
  /**
   * Sends SIGTERM, so that the process writes its coverage, and SIGKILL if requests in flight keep it.
   * @param graceMs how long it may take to end by itself, in milliseconds.
   */
  close(graceMs?: number): Promise<void>;
}

/** Starts a script of the project in a process. Resolves when it prints its address. */
export async function startProcess(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<TestProcess> {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: projectFolder,
    env: { ...bareEnv(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  let said: string | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    const add = (text: string) => {
      output += text;
      if (said) return;
      said = /^\{"url":"([^"]+)"\}$/m.exec(output)?.[1];
      if (said) resolve(said);
    };
    child.stdout.setEncoding('utf8').on('data', add);
    child.stderr.setEncoding('utf8').on('data', add);
    child.once('exit', (code) => reject(new Error(`${script} ended with code ${code}:\n${output}`)));
  });
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  };
  return {
    child,
    url,
    output: () => output,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    close: async (graceMs = endMs) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await end('SIGTERM');
      clearTimeout(timer);
    },
  };
}

/** How a command ended, and all that it wrote. */
export interface EndedCommand {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in the project's folder to its end, with nothing of the tests' environment but PATH. */
export function runCommand(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<EndedCommand> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: projectFolder, env: { ...bareEnv(), ...env } }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
