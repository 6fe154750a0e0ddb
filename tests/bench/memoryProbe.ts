import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

/*
 * Loaded into a server and its worker with `--import`: tells the parent process, when asked, the live heap of both
 * after a collection. Resident memory alone cannot tell a leak from a heap that V8 has not bothered to tidy.
 */

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const toMain = new BroadcastChannel('heap-of-worker');
const toWorker = new BroadcastChannel('measure-worker');
toMain.unref();
toWorker.unref();

function measure(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

if (isMainThread) {
  let hasWorker = false;
  toMain.onmessage = () => {
    hasWorker = true;
  };
  process.on('message', async () => {
    let bytes = measure();
    if (hasWorker) {
      const answered = once(toMain as unknown as EventTarget, 'message');
      toWorker.postMessage('measure');
      bytes += Number((await answered)[0].data);
    }
    process.send?.(bytes);
  });
} else {
  toWorker.onmessage = () => toMain.postMessage(measure());
  toMain.postMessage(0);
}
