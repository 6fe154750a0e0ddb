/*
 * Runs Azurite's own entry (the first argument names it) in a process that its parent has forked: it ends when the
 * parent asks for it and when the parent is gone, so that no port stays taken behind a killed one.
 */
const [entry] = process.argv.splice(2, 1);
process.once('disconnect', () => process.emit('SIGINT'));
await import(`azurite/dist/src/${entry}.js`);
