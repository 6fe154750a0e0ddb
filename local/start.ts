import { ConfigError, parseConfig, servesConsole } from '../shared/config.ts';
import { createProjectStore } from '../shared/storage/projectStore.ts';
import { lazyTable } from '../shared/storage/tables.ts';
import { createLocalConsole } from './console.ts';
import { applyDemo, signDemoToken } from './demo/demo.ts';
import { type DevServices, startDevServices } from './devServices.ts';
import { explainFailure } from './explain.ts';
import { type Host, startHost } from './host/host.ts';
import { writeLog } from './host/log.ts';
import { projectFolder, readStartSettings, type Settings } from './localSettings.ts';
import { type OwnConfiguration, openOwnConfiguration } from './own/configuration.ts';
import { OwnFilesError, ownPathsOf } from './own/files.ts';
import { watchOwnFiles } from './own/watch.ts';
import { whenStopped } from './stop.ts';
import { welcome } from './welcome.ts';

/* `npm start`: runs the service and everything it depends on locally. */

async function main(): Promise<void> {
  const settings = readStartSettings();
  const port = Number(settings['PORT'] ?? 7071);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new StartError('PORT must be an integer from 0 to 65535.');
  }
  let devServices: DevServices | undefined;
  let host: Host | undefined;
  const stop = async (code: number) => {
    await host?.close();
    await devServices?.close();
    process.exit(code);
  };
  whenStopped(() => stop(0));
  devServices = await startDevServices(settings);
  Object.assign(process.env, { CONSOLE: 'true' }, settings, devServices.settings);
  try {
    host = await startService(devServices, settings, port);
  } catch (error) {
    console.error(explain(error, port));
    await stop(1);
  }
}

async function startService(devServices: DevServices, settings: Settings, port: number): Promise<Host> {
  const paths = ownPathsOf(settings);
  const own = openOwnConfiguration({
    paths,
    assistants: process.env['ASSISTANTS'] ?? '',
    demo: settings['ASSISTANTS'] === undefined,
    documentsDir: devServices.documentsDir,
  });
  const issues = read(own).issues;
  process.env['ASSISTANTS'] = own.assistants;
  const config = parseConfig(process.env);
  await applyDemo(config);
  const store = createProjectStore(lazyTable(config.tables, 'projects'));
  await own.storeProjects(store);
  const record = () => devServices.record({ ...devServices.settings, ASSISTANTS: own.assistants });
  await record();
  const host = await startHost({
    folder: projectFolder,
    port,
    everyOrigin: true,
    endsWithNewline: true,
    ...(servesConsole(process.env) && {
      interceptor: createLocalConsole(devServices.signer, () => own.state.projects),
    }),
  });
  const token = devServices.signer && (await signDemoToken(devServices.signer));
  console.log(welcome(host, token, own, paths, devServices.localFolder));
  if (issues !== undefined) writeLog('error', `Your assistants and projects are not used:\n${issues}`);

  watchOwnFiles(paths, async () => {
    try {
      const { changes, issues } = read(own);
      if (issues !== undefined) return writeLog('error', `Not applied, the former state is kept:\n${issues}`);
      process.env['ASSISTANTS'] = own.assistants;
      await own.storeProjects(store);
      await record();
      await host.restartApp();
      for (const change of changes.length > 0 ? changes : ['no difference']) {
        writeLog('information', `Applied: ${change}`);
      }
    } catch (error) {
      writeLog('error', `Not applied: ${(error as Error).message}`);
    }
  });
  return host;
}

function read(own: OwnConfiguration): { changes: readonly string[]; issues: string | undefined } {
  try {
    return { changes: own.read(), issues: undefined };
  } catch (error) {
    if (error instanceof OwnFilesError) return { changes: [], issues: error.message };
    throw error;
  }
}

/** An error whose message says all that there is to say. */
class StartError extends Error {}

function explain(error: unknown, port?: number): string {
  if (error instanceof ConfigError || error instanceof StartError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE' && port !== undefined)
    return `Port ${port} is in use; choose another: PORT=7080 npm start`;
  // Without a port, the settings have not been read yet.
  const explanation = port === undefined ? undefined : explainFailure(error, parseConfig(process.env));
  if (!explanation) return `The service did not start: ${message}`;
  const { why, check } = explanation;
  return `The service did not start: ${why}\nCheck ${check}\nnpm run doctor tries all that the service needs.`;
}

await main().catch((error) => {
  console.error(explain(error));
  process.exit(1);
});
