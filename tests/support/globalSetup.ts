import { freePort, startAzurite } from '../../local/azurite.ts';

/** Starts one store for all test files, which use separate projects. */
export default async function globalSetup(): Promise<void> {
  const ports = { table: await freePort(), queue: await freePort() };
  const azurite = await startAzurite({ ports });
  process.env['TEST_TABLES_CONNECTION_STRING'] = azurite.connectionString;
  process.env['TEST_QUEUES_CONNECTION_STRING'] = azurite.connectionString;
  process.env['TEST_TABLES_PORT'] = String(ports.table);
  process.env['TEST_QUEUES_PORT'] = String(ports.queue);
  (globalThis as { azurite?: unknown }).azurite = azurite;
}
