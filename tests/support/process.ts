import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

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
}

/** Starts a script of the project in a process. Resolves when it prints its address. */
export async function startProcess(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<TestProcess> {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [script, ...args], {
    cwd: projectFolder,
    // Do not inherit the environment of the tests.
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const add = (text: string) => {
      output += text;
      const said = /^\{"url":"([^"]+)"\}$/m.exec(output)?.[1];
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
  const { PATH = '' } = process.env;
  return new Promise((resolve) => {
    execFile(file, args, { cwd: projectFolder, env: { PATH, ...env } }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
