import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, startAzurite } from '../local/azurite.ts';
import { prepareApps } from '../tests/bench/apps.ts';
import { measureCalls } from '../tests/bench/calls.ts';
import { measureFirstText } from '../tests/bench/firstText.ts';
import { measureGrowth } from '../tests/bench/growth.ts';
import { measureMemory } from '../tests/bench/memory.ts';
import { measureNotice } from '../tests/bench/notice.ts';
import { ratios, type Section, toTable } from '../tests/bench/report.ts';
import { measureRequests } from '../tests/bench/requests.ts';
import { measureSharing } from '../tests/bench/sharing.ts';
import { measureStartUp } from '../tests/bench/startUp.ts';
import { measureWaiting } from '../tests/bench/waiting.ts';
import type { Ground } from '../tests/bench/world.ts';
import { startTestIssuer } from '../tests/support/issuer.ts';
import { projectFolder } from '../tests/support/process.ts';

/*
 * `npm run bench [-- --quick] [-- --only PART,PART] [-- --cpu-prof DIR]`: measures the built service on this machine
 * and prints a table; dist/bench.json has all figures. Fails only after errors, never because of timing. `--cpu-prof`
 * writes a profile of each process of the service.
 */

const parts: Readonly<Record<string, (ground: Ground) => Promise<Section>>> = {
  requests: measureRequests,
  notice: measureNotice,
  firstText: measureFirstText,
  calls: measureCalls,
  startUp: measureStartUp,
  waiting: measureWaiting,
  memory: measureMemory,
  sharing: measureSharing,
  growth: measureGrowth,
};

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: Object.keys(parts).join(',') },
    'cpu-prof': { type: 'string' },
  },
});

async function measure(ground: Ground): Promise<Record<string, Section>> {
  const sections: Record<string, Section> = {};
  const run = async (name: string) => {
    const startedAt = performance.now();
    sections[name] = (await parts[name]?.(ground)) ?? fail(`there is no part ${name}`);
    console.error(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  };
  const chosen = values.only.split(',');
  // Counting calls takes one long run. Run it separately for precise figures, in parallel if quick.
  const together = new Set(values.quick ? ['notice', 'calls'] : []);
  for (const name of chosen.filter((one) => !together.has(one))) await run(name);
  await Promise.all(chosen.filter((one) => together.has(one)).map(run));
  return sections;
}

function fail(reason: string): never {
  throw new Error(reason);
}

/** Prints the table and writes the file. @returns the errors. */
async function report(sections: Readonly<Record<string, Section>>, loadBefore: number): Promise<string[]> {
  const ordered = Object.keys(parts).flatMap((name) => sections[name] ?? []);
  const rows = ordered.flatMap((section) => section.rows);
  const errors = ordered.flatMap((section) => section.errors ?? []);
  const { version: node, platform } = process;
  const machine = { node, platform, cpu: cpus()[0]?.model, cpus: availableParallelism(), loadBefore };
  console.log(toTable(rows));
  console.log(
    `\n${machine.cpus} × ${machine.cpu}, Node.js ${node}, load average before ${loadBefore.toFixed(1)}`,
  );
  if (platform !== 'linux') console.log('Without /proc, processor time and resident memory are left out.');
  for (const note of ordered.flatMap((section) => section.notes ?? [])) console.log(note);
  const content = {
    at: new Date(),
    quick: values.quick,
    machine,
    rows: rows.map((row) => ({ ...row, ratio: ratios(row) })),
    details: Object.fromEntries(Object.entries(sections).map(([name, { details }]) => [name, details])),
    errors,
  };
  await writeFile(join(projectFolder, 'dist/bench.json'), JSON.stringify(content, null, 2));
  return errors;
}

const profileFolder = values['cpu-prof'];
const loadBefore = loadavg()[0] ?? 0;
const folder = await mkdtemp(join(tmpdir(), 'bench-'));
const ports = { table: await freePort(), queue: await freePort() };
const [issuer, azurite] = await Promise.all([startTestIssuer(), startAzurite({ ports })]);
try {
  const sections = await measure({
    issuer,
    connectionString: azurite.connectionString,
    tablesPort: ports.table,
    folder,
    apps: await prepareApps(folder),
    nodeOptions: profileFolder === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileFolder],
    quick: values.quick,
  });
  const errors = await report(sections, loadBefore);
  for (const error of errors.slice(0, 10)) console.error(error);
  if (errors.length > 0) {
    console.error(`${errors.length} requests went wrong.`);
    process.exitCode = 1;
  }
} finally {
  await Promise.all([issuer.close(), azurite.close()]);
  await rm(folder, { recursive: true, force: true });
}
