import { parentPort } from 'node:worker_threads';

/*
 * Runs commands of the project one after the other in this thread, each as if it were a process of its own, but with
 * modules that are loaded already. Only a command's own file is evaluated anew.
 */

/** A command to run, and its environment. */
export interface Script {
  /** URL of its file. */
  readonly url: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Thrown in place of the end of a process. */
class Exit extends Error {}

process.exit = (code) => {
  process.exitCode = code ?? process.exitCode;
  throw new Exit();
};

let runs = 0;

async function run({ url, args, env }: Script) {
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = (text: string | Uint8Array) => {
      written[name] += text;
      return true;
    };
  }
  process.argv = [process.execPath, url, ...args];
  process.env = { ...env };
  process.exitCode = undefined;
  try {
    await import(`${url}?run=${++runs}`);
  } catch (error) {
    if (!(error instanceof Exit)) {
      written.stderr += `${(error as Error).stack}\n`;
      process.exitCode = 1;
    }
  }
  return { code: Number(process.exitCode ?? 0), ...written };
}

const tests = parentPort;
tests?.on('message', async (script: Script) => tests.postMessage(await run(script)));
