import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AzuriteOptions, freePort, startAzurite } from './azurite.ts';
import { startEmulator } from './emulator/emulator.ts';
import { readSigner, type Signer, startIssuer } from './issuer.ts';
import { lockFolder } from './lock.ts';

/** What the service needs around it and a developer's machine does not have. */
export interface DevServices {
  /** Settings for what was started here; whatever the environment had is not among them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Absent when the environment names an issuer of its own. */
  readonly signer: Signer | undefined;
  close(): Promise<void>;
}

export const audience = 'thread-runs';
/** Where package.json and host.json are. */
export const projectFolder = fileURLToPath(new URL('..', import.meta.url));

/** What a developer's machine keeps between two starts: git-ignored, and free to be deleted. */
export const localFolder = process.env['LOCAL_DATA_DIR'] || join(projectFolder, '.local');
const signerFile = join(localFolder, 'issuer.json');

/** The ports that `local.settings.sample.json` names. */
const ports = { issuer: 7072, engine: 7073, queues: 10001, tables: 10002 };

/** The signer of the issuer that was last started in this folder. */
export const findSigner = () => readSigner(signerFile);

/**
 * Starts the token issuer, the engine's emulator and the store, each only where the environment has no setting for it.
 * @throws {Error} when the service runs in this folder already, and this one would use it too.
 * @param fixedPorts fails when a port of the sample settings is taken; otherwise any free one will do.
 */
export async function startDevServices(
  env: Readonly<Record<string, string | undefined>>,
  { fixedPorts = false, allServices = false }: { fixedPorts?: boolean; allServices?: boolean } = {},
): Promise<DevServices> {
  const missing = (prefix: string) => !env[`${prefix}_ENDPOINT`] && !env[`${prefix}_CONNECTION_STRING`];
  const startsStorage = missing('TABLES') || missing('QUEUES');
  const usesFolder = !env['JWT_ISSUER'] || !env['OPENAI_BASE_URL'] || startsStorage;
  const closers = usesFolder ? [await lockFolder(localFolder)] : [];
  const settings: Record<string, string> = {};
  const portOf = (name: keyof typeof ports) => (fixedPorts ? ports[name] : freePort(ports[name]));
  // What belongs to one engine would be lost on another, so each has data of its own.
  // An address that is none is for the configuration to refuse, with its other faults.
  const engine = env['OPENAI_BASE_URL'] ? (URL.parse(env['OPENAI_BASE_URL'])?.host ?? 'none') : 'emulator';
  const dataDir = join(localFolder, engine.replaceAll(':', '_'));
  if (usesFolder) await mkdir(dataDir, { recursive: true });

  let signer: Signer | undefined;
  if (!env['JWT_ISSUER']) {
    // The issuer's address is in every token, so a former one is kept where it can be.
    const former = fixedPorts ? undefined : (await findSigner())?.issuer;
    const options = {
      port: former === undefined ? await portOf('issuer') : await freePort(Number(new URL(former).port)),
      audience: env['JWT_AUDIENCE'] || audience,
      file: signerFile,
    };
    const issuer = await startIssuer(options);
    signer = issuer.signer;
    Object.assign(settings, { JWT_ISSUER: signer.issuer, JWT_AUDIENCE: signer.audience });
    closers.push(issuer.close);
  }
  if (!env['OPENAI_BASE_URL']) {
    const emulator = await startEmulator({
      port: await portOf('engine'),
      dataDir,
      documentsDir: fileURLToPath(new URL('./demo/documents', import.meta.url)),
    });
    Object.assign(settings, { OPENAI_BASE_URL: emulator.url, OPENAI_API_KEY: 'emulator' });
    closers.push(emulator.close);
  }
  const storagePorts: AzuriteOptions['ports'] = {
    ...(missing('TABLES') && { table: await portOf('tables') }),
    ...(missing('QUEUES') && { queue: await portOf('queues') }),
  };
  if (startsStorage) {
    const azurite = await startAzurite({ ports: storagePorts, dataDir, allServices });
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
    close: async () => void (await Promise.all(closers.map((close) => close()))),
  };
}

/** The setting that the app's queue trigger finds its queue by, by itself or in parts. */
const hostStorageName = 'AzureWebJobsStorage';

const hasHostStorage = (env: Readonly<Record<string, string | undefined>>) =>
  Boolean(env[hostStorageName] || env[`${hostStorageName}__queueServiceUri`]);

/** The trigger has to read the queue that the app writes to. */
function hostStorage({
  QUEUES_ENDPOINT: endpoint,
  QUEUES_CONNECTION_STRING: connectionString,
}: Readonly<Record<string, string | undefined>>): Record<string, string> {
  if (endpoint) return { [`${hostStorageName}__queueServiceUri`]: endpoint };
  return connectionString ? { [hostStorageName]: connectionString } : {};
}

/** The demo's documents are the emulator's, so a real engine has nothing to search. */
async function demoAssistants(withTools: boolean): Promise<string> {
  const { tools, ...assistant } = JSON.parse(
    await readFile(new URL('./demo/assistant.json', import.meta.url), 'utf8'),
  );
  return JSON.stringify([withTools ? { ...assistant, tools } : assistant]);
}
