/*
 * Loaded into a server with `--expose-gc --import`: tells its parent, when asked, the live heap after a collection.
 * Resident memory alone cannot tell a leak from a heap that V8 has not bothered to tidy.
 */
process.on('message', () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
