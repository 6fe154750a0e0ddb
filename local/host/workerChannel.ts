import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Invocation, InvocationResult, Ready } from './worker.ts';

/** The host's side of the worker: starts it, starts it again after a crash, and keeps count of its invocations. */
export interface WorkerChannel {
  /** What the running worker serves; waits while one is starting. */
  ready(): Promise<Ready>;
  /**
   * Asks the worker to carry out a function.
   * @param invocation with an `invocationId` of its own unless given.
   * @throws {InvocationFailure} when the function failed, or the worker ended.
   */
  invoke(invocation: Omit<Invocation, 'invocationId'> & { invocationId?: string }): Promise<object>;
  readonly openInvocations: number;
  /** How often a worker was started. */
  readonly starts: number;
  close(): Promise<void>;
}

/** An invocation that gave no result. */
export class InvocationFailure extends Error {}

interface Pending {
  resolve(response: object): void;
  reject(failure: InvocationFailure): void;
}

/**
 * @param options.functionTimeoutMs what an invocation may take; then the worker is started again, as by the real host,
 * which breaks every other invocation too.
 * @param options.maxHeaderBytes as `languageWorkers__node__arguments` sets it.
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
    });
    const ready: Promise<Ready> = once(worker, 'message').then(([message]) => {
      worker.on('message', settle);
      worker.on('error', ({ name }) => console.error(`[error] the worker crashed: ${name}`));
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
    current.ready.catch((error) => console.error(`[error] the worker does not start: ${error.message}`));
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
            console.error(`[error] ${invocation.functionName} exceeded functionTimeout; the worker restarts`);
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
