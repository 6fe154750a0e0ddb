import { access, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../shared/config.ts';
import { applyDemo, signDemoToken } from './demo/demo.ts';
import { type DevServices, startDevServices } from './devServices.ts';
import { projectFolder, readLocalSettings } from './localSettings.ts';
import { whenStopped } from './stop.ts';

/* `npm run dev-services`: starts the services for `func start`, at the addresses in local.settings.sample.json. */

const settingsFile = join(projectFolder, 'local.settings.json');

async function main(): Promise<void> {
  const { LOCAL_DATA_DIR, LOCAL_DOCUMENTS_DIR } = readLocalSettings();
  const folders = { LOCAL_DATA_DIR, LOCAL_DOCUMENTS_DIR };
  let devServices: DevServices | undefined;
  whenStopped(async () => {
    await devServices?.close();
    process.exit(0);
  });
  devServices = await startDevServices(folders, { fixedPorts: true, allServices: true });
  await applyDemo(parseConfig(devServices.settings));
  await access(settingsFile).catch(() =>
    copyFile(join(projectFolder, 'local.settings.sample.json'), settingsFile),
  );
  // The assistants are those of local.settings.json.
  const { ASSISTANTS: _demo, ...recorded } = devServices.settings;
  await devServices.record(recorded);
  console.log(
    'Token issuer, engine emulator and storage are running. In another terminal: npm run build && func start',
  );
  if (devServices.signer) {
    console.log(
      `A token for the demo project, valid for 24 hours:\n\n${await signDemoToken(devServices.signer)}\n`,
    );
  }
}

await main().catch((error) => {
  console.error(`The dev services did not start: ${error.message}`);
  process.exit(1);
});
