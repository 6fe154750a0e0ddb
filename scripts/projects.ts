import { readFile } from 'node:fs/promises';
import { findSettings } from '../local/localSettings.ts';
import { ConfigError, parseProjectsConfig } from '../shared/config.ts';
import { parseProjects } from '../shared/projects/projects.ts';
import { createProjectStore, type ProjectStore } from '../shared/storage/projectStore.ts';
import { openTable } from '../shared/storage/tables.ts';
import { fetchStorageToken } from './storageToken.ts';

/*
 * `npm run projects -- apply FILE.json | list | remove ID`: manages the project records, using the app's settings or
 * those of the service that runs on this machine. Changes take effect within 30 seconds.
 */

const usage = `Usage:
  npm run projects -- apply FILE.json   insert or replace the projects in a file (a JSON array)
  npm run projects -- list              print all projects as JSON
  npm run projects -- remove ID         remove a project; its threads are kept but nobody can reach them`;

async function main([command = '', argument, ...others]: string[]): Promise<void> {
  const complete = (command === 'list') === (argument === undefined) && others.length === 0;
  if (!['apply', 'list', 'remove'].includes(command) || !complete) throw new Error(usage);
  const config = parseProjectsConfig(findSettings());
  // Read first, so that an invalid file is rejected before anything is changed.
  const projects =
    command === 'apply' ? parseProjects(await readJson(argument ?? ''), config.assistants) : [];
  const credential = await fetchStorageToken(config);
  const table = await openTable(config.tables, 'projects', credential);
  const store = createProjectStore(async () => table);
  // A connection string implies a development store, in which the table may not exist yet.
  if (config.tables.connectionString !== undefined) await table.createTable();
  if (command === 'apply') {
    for (const project of projects) {
      await store.put(project);
      console.log(`applied ${project.projectId} (${project.name})`);
    }
  } else if (command === 'list') {
    console.log(JSON.stringify(await store.list(), null, 2));
  } else if (await store.remove(argument ?? '')) {
    console.log(`removed ${argument}`);
    console.log(await describeRemains(store, argument ?? ''));
  } else {
    throw new Error(`Project ${argument} does not exist.`);
  }
}

/** Says what of a removed project remains in the engine, and how to get rid of it. */
async function describeRemains(store: ProjectStore, projectId: string): Promise<string> {
  const vectorStoreId = await store.findDocumentStore(projectId);
  const documents =
    vectorStoreId === undefined ? 'It had no documents.' : `Its documents: vector store ${vectorStoreId}.`;
  return `What remains in the engine: the conversations of its threads, its uploaded files and its vector stores. ${documents}
To delete these, apply the project again, delete its threads, files and vector stores through the API, sync its
documents with an empty folder, and then remove it.`;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read as JSON: ${(error as Error).message}`);
  }
}

await main(process.argv.slice(2)).catch((error) => {
  const { name, message } = error as Error;
  const known = name === 'Error' || error instanceof ConfigError;
  console.error(known ? message : `Cannot use the table storage (${causeOf(error)}).`);
  if (error instanceof ConfigError)
    console.error(
      'Start the service with "npm start", or set them in the environment or local.settings.json.',
    );
  process.exitCode = 1;
});

function causeOf(error: Error): string {
  const cause = (error.cause ?? error) as { name: string; code?: string; statusCode?: number };
  return [cause.name, cause.statusCode, cause.code].filter((part) => part !== undefined).join(' ');
}
