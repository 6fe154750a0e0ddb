import { BroadcastChannel, isMainThread } from 'node:worker_threads';

/*
 * Loaded into a server with `--import`, and so into its worker thread, which has a heap of its own: tells the server's
 * parent, when asked, the worker's live heap after a collection. Resident memory alone cannot tell a leak from a heap
 * that V8 has not bothered to tidy.
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
