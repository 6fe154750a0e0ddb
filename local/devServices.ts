import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AzuriteOptions, freePort, startAzurite } from './azurite.ts';
import { startEmulator } from './emulator/emulator.ts';
import { readSigner, type Signer, startIssuer } from './issuer.ts';
import { localFolderOf, runningSettingsFile, type Settings } from './localSettings.ts';
import { lockFolder } from './lock.ts';
import { copyDocuments } from './own/documents.ts';
import { ownPathsOf } from './own/files.ts';

/** The local stand-ins for the services that the app depends on. */
export interface DevServices {
  /** Settings of the started services, without those that were in the environment. */
  readonly settings: Readonly<Record<string, string>>;
  /** Undefined when the environment configures an issuer. */
  readonly signer: Signer | undefined;
  /** Folder of the data that is kept between starts. */
  readonly localFolder: string;
  /** Folder of the documents that the emulator searches; undefined when the environment configures an engine. */
  readonly documentsDir: string | undefined;
  /** Records settings for commands beside the service, until it is closed. They must hold no secret of the user's. */
  record(settings: Settings): Promise<void>;
  close(): Promise<void>;
}

/** Default audience of local tokens. */
const audience = 'thread-runs';

const signerFile = (localFolder: string) => join(localFolder, 'issuer.json');

/** The ports in `local.settings.sample.json`. */
const ports = { issuer: 7072, engine: 7073, queues: 10001, tables: 10002 };

/** Returns the signer of the issuer that was last started in a data folder. */
export const findSigner = (localFolder: string) => readSigner(signerFile(localFolder));

/**
 * Starts the token issuer, the engine's emulator and the store, each unless the environment configures it.
 * @param fixedPorts whether to require the ports of the sample settings; otherwise any free ports are used.
 * @throws {Error} when another process uses the local data folder.
 */
export async function startDevServices(
  env: Settings,
  { fixedPorts = false, allServices = false }: { fixedPorts?: boolean; allServices?: boolean } = {},
): Promise<DevServices> {
  const missing = (prefix: string) => !env[`${prefix}_ENDPOINT`] && !env[`${prefix}_CONNECTION_STRING`];
  const startsStorage = missing('TABLES') || missing('QUEUES');
  const localFolder = localFolderOf(env);
  const usesFolder = !env['JWT_ISSUER'] || !env['OPENAI_BASE_URL'] || startsStorage;
  const closers = usesFolder ? [await lockFolder(localFolder)] : [];
  const settings: Record<string, string> = {};
  const portOf = (name: keyof typeof ports) => (fixedPorts ? ports[name] : freePort(ports[name]));
  // Conversations exist in one engine only, so each engine has its own data folder.
  // An invalid URL is reported later, with the other issues of the configuration.
  const engine = env['OPENAI_BASE_URL'] ? (URL.parse(env['OPENAI_BASE_URL'])?.host ?? 'none') : 'emulator';
  const dataDir = join(localFolder, engine.replaceAll(':', '_'));
  if (usesFolder) await mkdir(dataDir, { recursive: true });

  let signer: Signer | undefined;
  if (!env['JWT_ISSUER']) {
    // Tokens contain the issuer's URL, so reuse the previous port if possible.
    const former = fixedPorts ? undefined : (await findSigner(localFolder))?.issuer;
    const options = {
      port: former === undefined ? await portOf('issuer') : await freePort(Number(new URL(former).port)),
      audience: env['JWT_AUDIENCE'] || audience,
      file: signerFile(localFolder),
    };
    const issuer = await startIssuer(options);
    signer = issuer.signer;
    Object.assign(settings, { JWT_ISSUER: signer.issuer, JWT_AUDIENCE: signer.audience });
    closers.push(issuer.close);
  }
  const documentsDir = env['OPENAI_BASE_URL'] ? undefined : join(localFolder, 'documents');
  if (documentsDir !== undefined) {
    copyDocuments(ownPathsOf(env).documents, documentsDir);
    const emulator = await startEmulator({
      port: await portOf('engine'),
      dataDir,
      documentsDir,
    });
    Object.assign(settings, { OPENAI_BASE_URL: emulator.url, OPENAI_API_KEY: 'emulator' });
    closers.push(emulator.close);
  }
  if (startsStorage) {
    const start = async (findPort: (name: 'tables' | 'queues') => number | Promise<number>) => {
      const storagePorts: AzuriteOptions['ports'] = {
        ...(missing('TABLES') && { table: await findPort('tables') }),
        ...(missing('QUEUES') && { queue: await findPort('queues') }),
      };
      return startAzurite({ ports: storagePorts, dataDir, allServices });
    };
    const azurite = await start(portOf).catch((error) => {
      // Another process may have taken a port since it was found free.
      if (fixedPorts) throw error;
      return start(() => freePort());
    });
    if (missing('TABLES')) settings['TABLES_CONNECTION_STRING'] = azurite.connectionString;
    if (missing('QUEUES')) settings['QUEUES_CONNECTION_STRING'] = azurite.connectionString;
    closers.push(azurite.close);
  }
  if (missing('QUEUES') || !hasHostStorage(env))
    Object.assign(settings, hostStorage({ ...env, ...settings }));
  if (!env['ASSISTANTS']) settings['ASSISTANTS'] = await demoAssistants(engine === 'emulator');
  return {
    settings,
    signer,
    localFolder,
    documentsDir,
    record: async (recorded) => {
      // Without the lock, another service may have recorded its own.
      if (usesFolder)
        await writeFile(runningSettingsFile(localFolder), JSON.stringify(recorded), { mode: 0o600 });
    },
    close: async () => {
      if (usesFolder) await rm(runningSettingsFile(localFolder), { force: true });
      await Promise.all(closers.map((close) => close()));
    },
  };
}

/** The connection setting of the queue trigger, or the prefix of its identity-based form. */
const hostStorageName = 'AzureWebJobsStorage';

const hasHostStorage = (env: Settings) =>
  Boolean(env[hostStorageName] || env[`${hostStorageName}__queueServiceUri`]);

/** Returns the trigger's connection settings, for the queue that the app writes to. */
function hostStorage({
  QUEUES_ENDPOINT: endpoint,
  QUEUES_CONNECTION_STRING: connectionString,
}: Settings): Record<string, string> {
  if (endpoint) return { [`${hostStorageName}__queueServiceUri`]: endpoint };
  return connectionString ? { [hostStorageName]: connectionString } : {};
}

/** Returns the demo's assistant. Its documents exist in the emulator only, so with a real engine it has no tools. */
async function demoAssistants(withTools: boolean): Promise<string> {
  const { tools, ...assistant } = JSON.parse(
    await readFile(new URL('./demo/assistant.json', import.meta.url), 'utf8'),
  );
  return JSON.stringify([withTools ? { ...assistant, tools } : assistant]);
}
