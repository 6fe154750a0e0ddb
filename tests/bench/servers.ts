import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectFolder } from '../support/process.ts';

/** A server process and its measurements. */
export interface Server {
  readonly url: string;
  /** CPU time used so far; undefined without /proc. */
  cpuMs(): Promise<number | undefined>;
  /** Resident memory; undefined without /proc. */
  rssBytes(): Promise<number | undefined>;
  /** Heap of the worker thread after a garbage collection; only with `probe`. */
  heapBytes(): Promise<number>;
  /** Output to stderr. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** File for its log. */
  readonly folder: string;
  /** Enables `heapBytes`. */
  readonly probe?: boolean;
  /** Node.js options, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
}

/** Clock ticks per second in /proc/PID/stat: USER_HZ is 100 on all Linux platforms of Node.js. */
const msPerTick = 10;

const probe = ['--import', new URL('./memoryProbe.ts', import.meta.url).href];
let count = 0;

// Stop all servers if the benchmark fails.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill();
});

/**
 * Starts a script that prints a line of JSON with its address. Its log is written to a file, because a pipe would need
 * a reader and could block the server.
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
        // Not an argument: worker threads inherit arguments and reject this one.
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

/** Parses user and system time: fields 14 and 15. Field 2, the command in parentheses, may contain spaces. */
function toCpuMs(stat: string | undefined): number | undefined {
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

function toRssBytes(status: string | undefined): number | undefined {
  const kilobytes = status && /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes ? Number(kilobytes) * 1024 : undefined;
}
