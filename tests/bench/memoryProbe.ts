import { BroadcastChannel, isMainThread } from 'node:worker_threads';

/*
 * Loaded into a server with `--import`, and so into its worker thread, which has a separate heap. On request, sends the
 * server's parent the size of the worker's heap after a garbage collection. Resident memory alone cannot distinguish a
 * leak from garbage.
 */
const channel = new BroadcastChannel('memory-probe');
channel.unref();
if (isMainThread) {
  process.on('message', () => channel.postMessage('heap'));
  channel.onmessage = (event) => process.send?.((event as MessageEvent).data);
} else {
  channel.onmessage = () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    channel.postMessage(heapUsed + external);
  };
}
