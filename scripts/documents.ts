import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findSettings } from '../local/localSettings.ts';
import { ConfigError, parseDocumentsConfig } from '../shared/config.ts';
import { createEngineClient } from '../shared/engine/client.ts';
import { createEngineDocuments } from '../shared/engine/documents.ts';
import { createEngineFiles } from '../shared/engine/files.ts';
import { AppError } from '../shared/errors.ts';
import {
  addDocument,
  createFingerprint,
  type DocumentServices,
  deleteDocument,
  listDocuments,
} from '../shared/files/documents.ts';
import { createFileSecrets } from '../shared/files/fileSecrets.ts';
import type { ProjectDocument } from '../shared/model/document.ts';
import { isImage } from '../shared/model/file.ts';
import { detectionBytes, detectMediaType } from '../shared/model/mediaType.ts';
import { createProjectStore } from '../shared/storage/projectStore.ts';
import { openTable } from '../shared/storage/tables.ts';
import { createProgress } from './progress.ts';
import { fetchStorageToken } from './storageToken.ts';

/*
 * `npm run documents -- sync --project ID FOLDER [--dry-run]`: makes a project's documents those of a folder, using the
 * app's settings or those of the service that runs on this machine. A document is replaced if its content differs. Every step leaves a valid state, so an interrupted sync
 * is completed by the next one.
 */

const usage = `Usage:
  npm run documents -- sync --project ID FOLDER [--dry-run]
      make the project's documents those of the folder: add, replace (by content), remove`;

/** How long to wait for the engine to index what was added, and between two looks, in milliseconds. */
const indexingMs = 10 * 60_000;
const lookMs = 1_000;

interface LocalFile {
  /** Path below the folder, with `_` between its parts, as the service names it. */
  readonly name: string;
  readonly path: string;
}

interface Plan {
  readonly add: readonly LocalFile[];
  /** Names of added files that replace a document. */
  readonly replaced: ReadonlySet<string>;
  readonly remove: readonly ProjectDocument[];
  readonly unchanged: number;
}

async function main(args: string[]): Promise<void> {
  const { projectId, folder, dryRun } = parse(args);
  const config = parseDocumentsConfig(findSettings());
  const files = await findFiles(folder, config.maxFileBytes);
  const credential = await fetchStorageToken(config);
  const projects = await openTable(config.tables, 'projects', credential);
  const projectStore = createProjectStore(async () => projects);
  const project = await projectStore.find(projectId);
  if (!project) throw new Error(`Project ${projectId} does not exist.`);
  const client = createEngineClient(config.engine);
  const services: DocumentServices = {
    fileSecrets: createFileSecrets(projectStore),
    engineFiles: createEngineFiles(client),
    engineDocuments: createEngineDocuments(client),
    documentStores: { find: projectStore.findDocumentStore, add: projectStore.addDocumentStore },
    deadline: { remaining: (maxMs) => maxMs, extend: () => undefined },
    log: () => undefined,
  };
  const plan = await makePlan(services, project.projectId, files);
  for (const { name } of plan.add) console.log(`${plan.replaced.has(name) ? 'replace' : 'add'} ${name}`);
  const kept = new Set(plan.add.map(({ name }) => name));
  for (const { name } of plan.remove) if (!kept.has(name)) console.log(`remove ${name}`);
  console.log(`${plan.unchanged} unchanged`);
  if (!dryRun) await execute(services, project.projectId, plan);
}

function parse(args: string[]): { projectId: string; folder: string; dryRun: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { project: { type: 'string' }, 'dry-run': { type: 'boolean', default: false } },
    });
    const [command, folder, ...others] = positionals;
    if (command !== 'sync' || !folder || !values.project || others.length > 0) throw new Error();
    return { projectId: values.project, folder, dryRun: values['dry-run'] };
  } catch {
    throw new Error(usage);
  }
}

/** Returns the files of a folder and its subfolders, but hidden ones. @throws {Error} naming all that are not accepted. */
async function findFiles(folder: string, maxBytes: number): Promise<LocalFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => {
    throw new Error(`${folder} cannot be read.`);
  });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => ({ path: join(entry.parentPath, entry.name) }))
    .map(({ path }) => ({ path, parts: relative(folder, path).split(sep) }))
    .filter(({ parts }) => !parts.some((part) => part.startsWith('.')))
    .map(({ path, parts }) => ({ path, name: parts.join('_') }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const issues: string[] = [];
  for (const [index, { path, name }] of files.entries()) {
    if (files[index + 1]?.name === name) issues.push(`${path} has the same name as another file`);
    const { size } = await stat(path);
    if (size === 0) issues.push(`${path} is empty`);
    else if (size > maxBytes) issues.push(`${path} is larger than MAX_FILE_MB`);
    else {
      const type = detectMediaType(await readHead(path), name);
      if (!type || isImage(type.mediaType)) issues.push(`${path} has a type that is not accepted`);
    }
  }
  if (issues.length > 0)
    throw new Error(`Nothing was changed:\n${issues.map((one) => `  - ${one}`).join('\n')}`);
  return files;
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(detectionBytes), 0, detectionBytes);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function makePlan(
  services: DocumentServices,
  projectId: string,
  files: readonly LocalFile[],
): Promise<Plan> {
  const byName = Map.groupBy(await listAll(services, projectId), ({ name }) => name);
  const secret = await services.fileSecrets.find(projectId);
  const add: LocalFile[] = [];
  const keep = new Set<string>();
  for (const file of files) {
    const fingerprint = secret && (await fingerprintOf(secret, file.path));
    const same = byName
      .get(file.name)
      ?.find((document) => document.fingerprint === fingerprint && document.status !== 'failed');
    if (same) keep.add(same.documentId);
    else add.push(file);
  }
  return {
    add,
    replaced: new Set(add.map(({ name }) => name).filter((name) => byName.has(name))),
    remove: [...byName.values()].flat().filter(({ documentId }) => !keep.has(documentId)),
    unchanged: keep.size,
  };
}

async function listAll(services: DocumentServices, projectId: string): Promise<ProjectDocument[]> {
  const documents: ProjectDocument[] = [];
  for (let after: string | undefined; ; ) {
    const page = await listDocuments(services, projectId, { limit: 100, after });
    documents.push(...page.items);
    if (!page.hasMore) return documents;
    after = page.lastId;
  }
}

async function fingerprintOf(secret: string, path: string): Promise<string> {
  const hash = createFingerprint(secret);
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('base64url');
}

/** Adds before it removes, so that a replaced document is never missing. */
async function execute(services: DocumentServices, projectId: string, plan: Plan): Promise<void> {
  const progress = createProgress(plan.add.length + plan.remove.length);
  const added = new Set<string>();
  const { signal } = new AbortController();
  for (const { name, path } of plan.add) {
    const upload = { name, content: createReadStream(path) };
    added.add((await addDocument(services, projectId, upload, signal)).documentId);
    progress();
  }
  for (const { documentId } of plan.remove) {
    await deleteDocument(services, projectId, documentId).catch((error) => {
      if (!(error instanceof AppError && error.code === 'document_not_found')) throw error;
    });
    progress();
  }
  await waitUntilReady(services, projectId, added);
}

/** @throws {Error} naming the documents that cannot be searched. */
async function waitUntilReady(
  services: DocumentServices,
  projectId: string,
  added: ReadonlySet<string>,
): Promise<void> {
  if (added.size === 0) return;
  for (const until = Date.now() + indexingMs; ; await wait(lookMs)) {
    const documents = (await listAll(services, projectId)).filter(({ documentId }) => added.has(documentId));
    const failed = documents.filter(({ status }) => status === 'failed');
    const pending = documents.filter(({ status }) => status === 'indexing').length;
    if (pending > 0 && Date.now() < until) continue;
    const issues = failed.map(({ name, errorCode }) => `  - ${name}: ${errorCode}`);
    if (pending > 0) issues.push(`  - ${pending} more are still being indexed`);
    if (issues.length > 0) throw new Error(`Not searchable:\n${issues.join('\n')}`);
    console.log(`${documents.length} ready`);
    return;
  }
}

await main(process.argv.slice(2)).catch((error) => {
  const { name, message } = error as Error;
  if (name === 'Error' || error instanceof ConfigError) console.error(message);
  else if (error instanceof AppError)
    console.error(`The sync stopped (${error.code}). Run it again to complete it.`);
  else console.error(`The sync stopped (${name}).`);
  process.exitCode = 1;
});
