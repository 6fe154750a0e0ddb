import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Azurite's documented development account; not a secret. */
const account = 'devstoreaccount1';
const accountKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** A running Azurite process. */
export interface Azurite {
  /** Contains an endpoint for each started service. */
  readonly connectionString: string;
  /** Resolves when all data is written and the process has ended. */
  close(): Promise<void>;
  /** Kills the process, like a crash. */
  kill(): Promise<void>;
}

export interface AzuriteOptions {
  /** Ports of the services to start. */
  readonly ports: { readonly table?: number; readonly queue?: number };
  /** Folder of the data; in memory by default. */
  readonly dataDir?: string;
  /** Starts blobs as well (port 10000), required by Core Tools. */
  readonly allServices?: boolean;
}

/** Starts the Azurite emulator as a child process that never outlives this one. */
export async function startAzurite({ ports, dataDir, allServices }: AzuriteOptions): Promise<Azurite> {
  const common = [
    ...['--silent', '--disableTelemetry', '--skipApiVersionCheck'],
    ...(dataDir === undefined ? ['--inMemoryPersistence'] : ['--location', dataDir]),
  ];
  const services = Object.entries(ports);
  const addresses = services.map(([service, port]) => [
    ...[`--${service}Host`, '127.0.0.1'],
    ...[`--${service}Port`, String(port)],
  ]);
  const entries = allServices
    ? [['azurite', ...common, ...addresses.flat()]]
    : services.map(([service], index) => [`${service}/main`, ...common, ...(addresses[index] ?? [])]);
  const child = fork(
    fileURLToPath(new URL('./azuriteProcess.ts', import.meta.url)),
    entries.map((entry) => JSON.stringify(entry)),
    // In its own process group, so that Ctrl-C does not stop the store while requests are in flight.
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], detached: true },
  );
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    let output = '';
    const isUp = (service: string) =>
      new RegExp(`${service} service (is )?success(fully)? (listen|start)`, 'i').test(output);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (services.every(([service]) => isUp(service))) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Azurite ended with code ${code}: ${output.trim()}`)));
  });
  const endpoint = ([service, port]: [string, number]) =>
    `${service.charAt(0).toUpperCase()}${service.slice(1)}Endpoint=http://127.0.0.1:${port}/${account}`;
  return {
    connectionString: [
      'DefaultEndpointsProtocol=http',
      `AccountName=${account}`,
      `AccountKey=${accountKey}`,
      ...services.map(endpoint),
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

/** Returns the preferred port if it is free, or else any free port. */
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
