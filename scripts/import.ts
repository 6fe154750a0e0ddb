import { parseArgs } from 'node:util';
import { findSettings } from '../local/localSettings.ts';
import { ConfigError, parseImportConfig } from '../shared/config.ts';
import { createEngineClient } from '../shared/engine/client.ts';
import { createEngine } from '../shared/engine/engine.ts';
import { AppError } from '../shared/errors.ts';
import { createAssistantStore } from '../shared/storage/assistantStore.ts';
import { createImportStore } from '../shared/storage/importStore.ts';
import { createProjectStore } from '../shared/storage/projectStore.ts';
import { openTable } from '../shared/storage/tables.ts';
import { type CheckedPlan, checkPlan } from './import/checkPlan.ts';
import { forEachConcurrently } from './import/concurrently.ts';
import type { ImportServices } from './import/importServices.ts';
import { importThread } from './import/importThread.ts';
import { NotBrought } from './import/notBrought.ts';
import { createPace } from './import/pace.ts';
import { makePlan, type Plan, type Problem } from './import/plan.ts';
import { readExport } from './import/readExport.ts';
import type { Direction } from './import/times.ts';
import { createProgress } from './progress.ts';
import { fetchStorageToken } from './storageToken.ts';

/*
 * `npm run import -- --project ID PATH [--apply]`: brings exported assistants, threads and messages to a project, using the
 * app's settings or those of the service that runs on this machine. A thread appears when all of it is there; what is
 * there is not brought again, so an interrupted import is completed by the next one.
 */

const usage = `Usage:
  npm run import -- --project ID PATH             say what would be imported from a file or a folder
  npm run import -- --project ID PATH --apply     import it

  --without-files     leave out attachments, images and tool_resources: their files do not exist here
  --order asc|desc    order of messages in the files where their times do not tell it
  --dry-run           change nothing, which is the default

Exit codes: 0 all of it is or would be in the project, 1 some of it is or would not.`;

interface Arguments {
  readonly projectId: string;
  readonly path: string;
  readonly apply: boolean;
  readonly withoutFiles: boolean;
  readonly order: Direction;
}

/** Maximum number of threads that are imported at a time. */
const concurrency = 4;

/** Number of failures of engine or store, without a success in between, after which the import stops. */
const maxFailures = 3;

async function main(args: string[]): Promise<number> {
  const { projectId, path, apply, withoutFiles, order } = parse(args);
  const config = parseImportConfig(findSettings());
  const content = await readExport(path);
  const services = await openServices(config, projectId);
  const models = new Set([...config.assistants.values()].map(({ model }) => model));
  const own = services.project.projectId;
  const plan = makePlan(content, { projectId: own, models, withoutFiles, order });
  const checked = await checkPlan(services, plan);
  const failed = apply ? await execute(services, checked) : describe(checked);
  report(plan, [...checked.problems, ...failed]);
  if (!apply) console.log('\nNothing was changed. Add --apply to import.');
  return checked.problems.length + failed.length > 0 ? 1 : 0;
}

/** @throws {Error} with the usage. */
function parse(args: string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        project: { type: 'string' },
        apply: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        'without-files': { type: 'boolean', default: false },
        order: { type: 'string' },
      },
    });
    const [path, ...others] = positionals;
    const orders: Readonly<Record<string, Direction>> = { asc: 1, desc: -1 };
    const order = values.order === undefined ? 0 : orders[values.order];
    const { project: projectId, apply, 'without-files': withoutFiles } = values;
    if (!path || !projectId || others.length > 0 || order === undefined) throw new Error();
    if (apply && values['dry-run']) throw new Error();
    return { projectId, path, apply, withoutFiles, order };
  } catch {
    throw new Error(usage);
  }
}

async function openServices(
  config: ReturnType<typeof parseImportConfig>,
  projectId: string,
): Promise<ImportServices> {
  const credential = await fetchStorageToken(config);
  const [projects, threads] = await Promise.all([
    openTable(config.tables, 'projects', credential),
    openTable(config.tables, 'threads', credential),
  ]);
  const projectStore = createProjectStore(async () => projects);
  const project = await projectStore.find(projectId);
  if (!project) throw new Error(`Project ${projectId} does not exist.`);
  const others = (await projectStore.list()).map((other) => other.projectId);
  return {
    config,
    project,
    otherProjectIds: others.filter((other) => other !== project.projectId),
    imports: createImportStore(async () => threads),
    assistants: createAssistantStore(async () => threads),
    engine: createEngine(createEngineClient(config.engine)),
    pace: createPace((seconds) => console.log(`The engine asks to wait ${seconds} s.`)),
  };
}

/** Prints what would be done. */
function describe({ assistants, threads, present }: CheckedPlan): Problem[] {
  for (const { id } of assistants) console.log(`assistant ${id}: would be created`);
  for (const { threadId, messages } of threads) {
    console.log(`thread ${threadId}: would be created with ${count(messages.length, 'message')}`);
  }
  for (const what of present) console.log(`${what}: is there`);
  return [];
}

/** Brings what is to be brought. @returns what could not be. */
async function execute(
  services: ImportServices,
  { assistants, threads, present }: CheckedPlan,
): Promise<Problem[]> {
  const failed: Problem[] = [];
  const progress = createProgress(assistants.length + threads.length);
  const done = (what: string) => {
    progress();
    if (!process.stderr.isTTY) console.log(what);
  };
  await forEachConcurrently(assistants, concurrency, async (assistant) => {
    await services.assistants.add(assistant);
    done(`imported assistant ${assistant.id}`);
  });
  let imported = 0;
  let failures = 0;
  await forEachConcurrently(threads, concurrency, async (thread) => {
    const what = `thread ${thread.threadId}`;
    try {
      await importThread(services, thread);
      failures = 0;
      imported++;
      done(`imported ${what} with ${count(thread.messages.length, 'message')}`);
    } catch (error) {
      failed.push({ what, why: reasonOf(error) });
      progress();
      if (!(error instanceof NotBrought) && ++failures >= maxFailures) throw error;
    }
  }).catch((error) => {
    if (!(error instanceof AppError)) throw error;
    failed.push({ what: 'the rest', why: `the import has stopped (${error.code}): run it again` });
  });
  console.log(
    `${count(assistants.length, 'assistant')} and ${count(imported, 'thread')} imported, ${present.length} there before`,
  );
  return failed;
}

/** @throws what is a defect of the import. */
function reasonOf(error: unknown): string {
  if (error instanceof NotBrought) return error.message;
  if (!(error instanceof AppError)) throw error;
  if (error.code === 'internal_error') return 'the engine refuses its calls: npm run doctor says why';
  return `engine or storage failed (${error.code}): run the import again`;
}

function report({ leftOut }: Plan, problems: readonly Problem[]): void {
  if (leftOut.size > 0) console.log('\nLeft out:');
  for (const [what, times] of leftOut) console.log(`  - ${times} × ${what}`);
  if (problems.length > 0) console.log('\nNot imported:');
  for (const { what, why } of problems) console.log(`  - ${what}: ${why}`);
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

await main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const { name, message } = error as Error;
    if (name === 'Error' || error instanceof ConfigError) console.error(message);
    else
      console.error(`The import stopped (${error instanceof AppError ? error.code : name}). Run it again.`);
    process.exitCode = 1;
  },
);
