import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Azurite's documented development account; it protects nothing. */
const account = 'devstoreaccount1';
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite {
  readonly connectionString: string;
  readonly port: number;
  /** Resolves when everything is written and the process has ended. */
  close(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

export interface AzuriteOptions {
  /** The port of the table service. */
  readonly port: number;
  /** Where the data is kept; absent: in memory. */
  readonly dataDir?: string;
  /** With blobs and queues as well (10000 and 10001), which Core Tools wants of a storage account. */
  readonly allServices?: boolean;
}

/** Starts the Azurite emulator as a process of its own that never outlives this one. */
export async function startAzurite({ port, dataDir, allServices }: AzuriteOptions): Promise<Azurite> {
  const child = fork(
    fileURLToPath(new URL('./azuriteProcess.ts', import.meta.url)),
    [
      ...(allServices ? ['azurite'] : ['table/main']),
      ...['--silent', '--disableTelemetry', '--skipApiVersionCheck'],
      ...['--tableHost', '127.0.0.1', '--tablePort', String(port)],
      ...(dataDir === undefined ? ['--inMemoryPersistence'] : ['--location', dataDir]),
    ],
    // A group of its own: Ctrl-C must not take the store from under the requests in flight.
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], detached: true },
  );
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (/table service (is )?success(fully)? (listening|started)/i.test(output)) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Azurite ended with code ${code}: ${output.trim()}`)));
  });
  return {
    port,
    connectionString: [
      'DefaultEndpointsProtocol=http',
      `AccountName=${account}`,
      `AccountKey=${accountKey}`,
      `TableEndpoint=http://127.0.0.1:${port}/${account}`,
    ].join(';'),
    async close() {
      child.disconnect();
      await exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** @returns the preferred port when it is free, else one that is. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer();
  const listening = (port: number) =>
    new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
  if (!(await listening(preferred))) await listening(0);
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
