/*
 * Runs Azurite's entry points in a forked process. The process ends when its parent disconnects or is killed, so that
 * it never keeps ports in use. Each argument is a JSON array for one entry point: its module, then its arguments.
 */
const [node = '', script = '', ...entries] = process.argv;
process.once('disconnect', () => {
  // Entry points listen to the signal once they have started. Before that there is nothing to write down.
  if (process.listenerCount('SIGINT') < entries.length) process.exit();
  process.emit('SIGINT');
});
// A killed parent no longer reads. Without a listener that would end the process before the data is written.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
for (const entry of entries) {
  const [module, ...args] = JSON.parse(entry) as string[];
  // An entry point reads its arguments when it is loaded, and rejects those of others.
  process.argv = [node, script, ...args];
  await import(`azurite/dist/src/${module}.js`);
}
