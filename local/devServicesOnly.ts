import { access, copyFile } from 'node:fs/promises';
import { parseConfig } from '../shared/config.ts';
import { applyDemo, signDemoToken } from './demo/demo.ts';
import { startDevServices } from './devServices.ts';

/* `npm run dev-services`: starts the services for `func start`, at the addresses in local.settings.sample.json. */

const settingsFile = 'local.settings.json';
const devServices = await startDevServices({}, { fixedPorts: true, allServices: true }).catch((error) => {
  console.error(`The dev services did not start: ${error.message}`);
  process.exit(1);
});
await applyDemo(parseConfig(devServices.settings));
await access(settingsFile).catch(() => copyFile('local.settings.sample.json', settingsFile));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void devServices.close().then(() => process.exit(0)));
}
console.log(
  'Token issuer, engine emulator and storage are running. In another terminal: npm run build && func start',
);
if (devServices.signer) {
  console.log(
    `A token for the demo project, valid for 24 hours:\n\n${await signDemoToken(devServices.signer)}\n`,
  );
}
