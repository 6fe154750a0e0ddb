/** Returns a function that reports one more step: as a bar at a terminal, which is gone at the end. */
export function createProgress(total: number): () => void {
  const width = 30;
  let done = 0;
  return () => {
    done++;
    if (!process.stderr.isTTY) return;
    const filled = Math.round((width * done) / total);
    process.stderr.write(`\r[${'#'.repeat(filled)}${' '.repeat(width - filled)}] ${done}/${total}`);
    if (done === total) process.stderr.write('\r\x1b[K');
  };
}
