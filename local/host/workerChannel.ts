import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { hasReader, showLines, writeLog } from './log.ts';
import type { Invocation, InvocationResult, Ready } from './worker.ts';

/** The host's connection to the worker, which it restarts after a crash. */
export interface WorkerChannel {
  /** Returns the app of the worker; waits while it is starting. */
  ready(): Promise<Ready>;
  /**
   * Invokes a function in the worker.
   * @param invocation its `invocationId` is generated unless given.
   * @throws {InvocationFailure} when the function fails or the worker ends.
   */
  invoke(invocation: Omit<Invocation, 'invocationId'> & { invocationId?: string }): Promise<object>;
  readonly openInvocations: number;
  /** Number of times a worker was started. */
  readonly starts: number;
  close(): Promise<void>;
}

/** Thrown for an invocation without a result. */
export class InvocationFailure extends Error {}

interface Pending {
  resolve(response: object): void;
  reject(failure: InvocationFailure): void;
}

/**
 * Starts a worker.
 * @param options.functionTimeoutMs timeout of an invocation; then the worker is restarted, as in the real host, which
 * fails all other invocations too.
 * @param options.maxHeaderBytes maximum size of request headers, set with `languageWorkers__node__arguments` in Azure.
 * @throws {Error} when the app cannot be loaded.
 */
export async function startWorker(options: {
  folder: string;
  functionTimeoutMs: number;
  maxHeaderBytes: number;
}): Promise<WorkerChannel> {
  const pending = new Map<string, Pending>();
  let starts = 0;
  let closing = false;

  const settle = ({ invocationId, response, error }: InvocationResult) => {
    const invocation = pending.get(invocationId);
    pending.delete(invocationId);
    if (!error) return invocation?.resolve(response ?? {});
    const { name, message } = error;
    invocation?.reject(new InvocationFailure(message === undefined ? name : `${name}: ${message}`));
  };
  const start = () => {
    starts++;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: options.folder,
      execArgv: [...process.execArgv, `--max-http-header-size=${options.maxHeaderBytes}`],
      stdout: hasReader(),
      stderr: hasReader(),
    });
    if (hasReader()) for (const output of [worker.stdout, worker.stderr]) showLines(output);
    const ready: Promise<Ready> = once(worker, 'message').then(([message]) => {
      worker.on('message', settle);
      worker.on('error', ({ name }) => writeLog('error', `the worker crashed: ${name}`));
      worker.once('exit', restart);
      return message;
    });
    return { worker, ready };
  };
  const restart = () => {
    for (const { reject } of pending.values()) reject(new InvocationFailure('the worker ended'));
    pending.clear();
    if (closing) return;
    current = start();
    current.ready.catch((error) => writeLog('error', `the worker does not start: ${error.message}`));
  };

  let current = start();
  await current.ready;
  return {
    ready: () => current.ready,
    invoke: async ({ invocationId = randomUUID(), ...invocation }) => {
      await current.ready;
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise<object>((resolve, reject) => {
          pending.set(invocationId, { resolve, reject });
          timer = setTimeout(() => {
            writeLog('error', `${invocation.functionName} exceeded functionTimeout; the worker restarts`);
            void current.worker.terminate();
          }, options.functionTimeoutMs);
          current.worker.postMessage({ ...invocation, invocationId } satisfies Invocation);
        });
      } finally {
        clearTimeout(timer);
      }
    },
    get openInvocations() {
      return pending.size;
    },
    get starts() {
      return starts;
    },
    close: async () => {
      closing = true;
      await current.worker.terminate();
    },
  };
}
