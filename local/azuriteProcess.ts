/*
 * Runs Azurite's own entries, one after the other, in a process that its parent has forked: it ends when the parent asks
 * for it and when the parent is gone, so that no port stays taken behind a killed one. Each argument is the JSON of one
 * entry: its module, then its own arguments.
 */
const [node = '', script = '', ...entries] = process.argv;
process.once('disconnect', () => process.emit('SIGINT'));
for (const entry of entries) {
  const [module, ...args] = JSON.parse(entry) as string[];
  // An entry reads its arguments while it is loaded, and refuses those of another one.
  process.argv = [node, script, ...args];
  await import(`azurite/dist/src/${module}.js`);
}
