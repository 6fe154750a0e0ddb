import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectFolder } from '../support/process.ts';

/** A server in a process of its own, with what can be known of that process from outside. */
export interface Server {
  readonly url: string;
  /** Processor time that it has used so far; undefined where there is no /proc. */
  cpuMs(): Promise<number | undefined>;
  /** Its resident memory; undefined where there is no /proc. */
  rssBytes(): Promise<number | undefined>;
  /** The live heap of its worker thread after a collection; only with `probe`. */
  heapBytes(): Promise<number>;
  /** All that it wrote to stderr. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its log goes. */
  readonly folder: string;
  /** Lets `heapBytes` ask. */
  readonly probe?: boolean;
  /** Options of Node's own, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
}

/** Of the kernel's clock in /proc/PID/stat: USER_HZ is 100 on every Linux that Node.js runs on. */
const msPerTick = 10;

const probe = ['--import', new URL('./memoryProbe.ts', import.meta.url).href];
let count = 0;

// A benchmark that fails half-way must not leave servers behind.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill();
});

/**
 * Starts a script that prints one line of JSON with its address.
 * Its log goes to a file: a reader of a pipe would work for every line, and a slow one would hold the server up.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { script, args = [], env = {}, folder, nodeOptions = [] } = options;
  const logFile = join(folder, `${++count}.log`);
  const handle = await open(logFile, 'w');
  const child = spawn(
    process.execPath,
    [
      ...(options.probe ? probe : []),
      ...nodeOptions,
      fileURLToPath(new URL(script, import.meta.url)),
      ...args,
    ],
    {
      cwd: projectFolder,
      env: {
        PATH: process.env['PATH'] ?? '',
        // Not among the arguments: those a worker thread takes over, and refuses this one.
        ...(options.probe && { NODE_OPTIONS: '--expose-gc' }),
        ...env,
      },
      stdio: ['ignore', 'pipe', handle.fd, ...(options.probe ? ['ipc' as const] : [])],
    },
  );
  running.add(child);
  child.once('exit', () => running.delete(child));
  await handle.close();
  const log = () => readFile(logFile, 'utf8');
  const proc = (file: string) => readFile(`/proc/${child.pid}/${file}`, 'utf8').catch(() => undefined);
  const exited = once(child, 'exit');
  return {
    url: await address(child, log),
    cpuMs: async () => toCpuMs(await proc('stat')),
    rssBytes: async () => toRssBytes(await proc('status')),
    async heapBytes() {
      child.send('heap');
      const [bytes] = await once(child, 'message');
      return Number(bytes);
    },
    log,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function address(child: ChildProcess, log: () => Promise<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.endsWith('}\n')) resolve(JSON.parse(output).url);
    });
    child.once('exit', async (code) => reject(new Error(`a server ended with ${code}: ${await log()}`)));
  });
}

/** User and system time are the 14th and 15th field; the 2nd is the command in brackets, which may hold blanks. */
function toCpuMs(stat: string | undefined): number | undefined {
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

function toRssBytes(status: string | undefined): number | undefined {
  const kilobytes = status && /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes ? Number(kilobytes) * 1024 : undefined;
}
