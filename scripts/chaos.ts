import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from '../tests/chaos/chaosRun.ts';
import { toText } from '../tests/chaos/report.ts';
import globalSetup from '../tests/support/globalSetup.ts';
import globalTeardown from '../tests/support/globalTeardown.ts';
import { projectFolder } from '../tests/support/process.ts';

/*
 * `npm run chaos [-- --seconds N] [-- --seed S]`: runs several workers with failing dependencies and disconnecting
 * clients, then checks all records. Prints a summary; the workers' output is in dist/chaos.log. Exits with 1 after a
 * violation. A seed reproduces the plan and the clients' decisions, but not their timing.
 */

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const seconds = Number(values.seconds);
const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('--seconds takes a positive number, --seed a whole one.');
  process.exit(1);
}
await globalSetup();
try {
  const report = await runChaos({ seconds, seed });
  await writeFile(join(projectFolder, 'dist/chaos.log'), report.log);
  console.log(toText(report, seconds));
  if (report.violations.length > 0) process.exitCode = 1;
} finally {
  await globalTeardown();
}
