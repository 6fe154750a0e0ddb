import { access, copyFile } from 'node:fs/promises';
import { parseConfig } from '../shared/config.ts';
import { applyDemo, signDemoToken } from './demo/demo.ts';
import { startDevServices } from './devServices.ts';

/* `npm run devServices`: starts the services that `func start` needs, at the addresses in local.settings.sample.json. */

const settingsFile = 'local.settings.json';
const devServices = await startDevServices({}, { fixedPorts: true, allServices: true }).catch((error) => {
  console.error(`The devServices did not start: ${error.message}`);
  process.exit(1);
});
await applyDemo(parseConfig(devServices.settings));
await access(settingsFile).catch(() => copyFile('local.settings.sample.json', settingsFile));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void devServices.close().then(() => process.exit(0)));
}
console.log(`Issuer, engine emulator and store are up. In another terminal: npm run build && func start`);
if (devServices.signer) {
  console.log(`A token for the demo project:\n\n${await signDemoToken(devServices.signer)}\n`);
}
