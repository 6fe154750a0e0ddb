import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { bareEnv, type EndedCommand, projectFolder } from './process.ts';
import type { Script } from './scriptThread.ts';

let thread: Worker | undefined;
let former: Promise<unknown> = Promise.resolve();

/**
 * Runs a command of the project to its end, in a thread that all commands of a Jest worker share. What a process costs
 * most, loading modules, is paid once. Has to be loaded natively.
 * @param script its path in the project. It may end by itself or with `process.exit`.
 */
export function runScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<EndedCommand> {
  const run = former.then(async () => {
    thread ??= new Worker(new URL('./scriptThread.ts', import.meta.url));
    thread.ref();
    const url = pathToFileURL(`${projectFolder}${script}`).href;
    thread.postMessage({ url, args, env: { ...bareEnv(), ...env } } satisfies Script);
    const [ended] = await once(thread, 'message');
    // Between commands it must not keep Jest's worker alive.
    thread.unref();
    return ended;
  });
  former = run.catch(() => {
    // An error outside of the command's own course has ended the thread.
    thread = undefined;
  });
  return run;
}
