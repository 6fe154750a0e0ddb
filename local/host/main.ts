import { parseArgs } from 'node:util';
import { startHost } from './host.ts';

/*
 * Runs the host as a process: `node local/host/main.ts [--folder DIR] [--port N] [--cors] [--old-host]
 * [--worker-header-bytes N]`. Prints a line of JSON with its URL when ready. On SIGTERM, ends after the requests in
 * flight.
 */
const { values } = parseArgs({
  options: {
    folder: { type: 'string', default: process.cwd() },
    port: { type: 'string', default: '0' },
    cors: { type: 'boolean', default: false },
    'old-host': { type: 'boolean', default: false },
    'worker-header-bytes': { type: 'string' },
  },
});
const maxBodyBytes = process.env['FUNCTIONS_REQUEST_BODY_SIZE_LIMIT'];
const workerMaxHeaderBytes = values['worker-header-bytes'];
const host = await startHost({
  folder: values.folder,
  port: Number(values.port),
  everyOrigin: values.cors,
  keepsInvocationId: values['old-host'],
  ...(maxBodyBytes && { maxBodyBytes: Number(maxBodyBytes) }),
  ...(workerMaxHeaderBytes && { workerMaxHeaderBytes: Number(workerMaxHeaderBytes) }),
});
console.log(JSON.stringify({ url: host.url }));
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void host.close().then(() => process.exit(0)));
}
