import { freePort, startAzurite } from '../../local/azurite.ts';

/** One store for all test files; each keeps to projects of its own. */
export default async function globalSetup(): Promise<void> {
  const azurite = await startAzurite({ port: await freePort() });
  process.env['TEST_TABLES_CONNECTION_STRING'] = azurite.connectionString;
  process.env['TEST_TABLES_PORT'] = String(azurite.port);
  (globalThis as { azurite?: unknown }).azurite = azurite;
}
