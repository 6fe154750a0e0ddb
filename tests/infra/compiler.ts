import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { sampleEnvironment } from '../../infra/bicep.ts';

/** What the compiler found in the sources. */
export interface Diagnostic {
  readonly source: string;
  readonly level: string;
  readonly code: string;
  readonly message: string;
}

interface Message {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A compiler that keeps running: its start and first compilation take seconds, each further one less than one. */
export interface Compiler {
  /**
   * Calls a method of Bicep's JSON-RPC interface, without its prefix `bicep/`.
   * @throws {Error} with the compiler's message.
   */
  call<T>(method: string, params: object): Promise<T>;
  close(): void;
}

/** Returns a compiler that starts on its first call, with the sample environment. @param bicep its path. */
export function createCompiler(bicep: string): Compiler {
  const pending = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  let child: ChildProcessWithoutNullStreams | undefined;
  let calls = 0;

  const settle = ({ id, result, error }: Message) => {
    const call = pending.get(id);
    pending.delete(id);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result as never);
  };
  const start = () => {
    const started = spawn(bicep, ['jsonrpc', '--stdio'], { env: { ...process.env, ...sampleEnvironment } });
    let output = '';
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    started.stdout.on('data', parser(settle));
    const fail = (reason: string) => {
      for (const { reject } of pending.values()) reject(new Error(`${reason} ${output}`));
      pending.clear();
    };
    started.once('error', ({ message }) => fail(message));
    started.once('exit', (code) => fail(`the compiler ended with code ${code}`));
    return started;
  };
  return {
    call: (method, params) => {
      child ??= start();
      const id = ++calls;
      const text = JSON.stringify({ jsonrpc: '2.0', id, method: `bicep/${method}`, params });
      child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
    },
    close: () => void child?.kill(),
  };
}

/** Returns a parser of messages, each preceded by a header with its length, as in the language server protocol. */
function parser(receive: (message: Message) => void): (chunk: Buffer) => void {
  let buffered = Buffer.alloc(0);
  return (chunk) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const [header, length] =
        /^Content-Length: (\d+)\r\n(?:.+\r\n)*\r\n/i.exec(buffered.toString('latin1')) ?? [];
      const end = (header?.length ?? 0) + Number(length);
      if (header === undefined || buffered.length < end) return;
      receive(JSON.parse(buffered.subarray(header.length, end).toString()));
      buffered = buffered.subarray(end);
    }
  };
}
