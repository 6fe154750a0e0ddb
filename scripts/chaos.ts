import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from '../tests/chaos/chaosRun.ts';
import { toText } from '../tests/chaos/report.ts';
import globalSetup from '../tests/support/globalSetup.ts';
import globalTeardown from '../tests/support/globalTeardown.ts';
import { projectFolder } from '../tests/support/process.ts';

/*
 * `npm run chaos [-- --seconds N] [-- --seed S]`: several workers, failing dependencies and vanishing clients; then
 * everything on record is checked. Prints a summary; what the workers wrote is in dist/chaos.log. Exit code 1 on a
 * violation. A seed repeats the plan and what clients decide, not the order in which it all happens.
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
