import { writeLog } from './log.ts';

/*
 * Replaces `@azure/functions-core`, the module that the Functions worker provides at run time. `@azure/functions` loads
 * it with `require` and registers the app's functions with it, as in Azure.
 */

/** A binding of a registered function; the properties used by HTTP and queue triggers. */
export interface Binding {
  type: string;
  direction: 'in' | 'out';
  methods?: string[];
  route?: string;
  queueName?: string;
  connection?: string;
}

export interface Registration {
  metadata: { name: string; bindings: Record<string, Binding> };
  callback: (...args: unknown[]) => unknown;
}

/** The programming model's steps of an invocation. */
export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: Registration['callback']): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<{ returnValue?: { http?: RpcHttp } | null }>;
}

/** An HTTP response in the protocol between worker and host. */
export interface RpcHttp {
  statusCode: string;
  headers: Record<string, string>;
  body?: { bytes?: Uint8Array; string?: string } | null;
}

interface ProgrammingModel {
  readonly name: string;
  readonly version: string;
  getInvocationModel(core: object): InvocationModel;
  /** `HttpUri` is the URL of the app's HTTP server, with HTTP streaming (`enableHttpStream`). */
  getCapabilities(worker: object): Promise<{ HttpUri?: string }>;
}

export const registrations: Registration[] = [];
let programmingModel: ProgrammingModel | undefined;

export const version = 'local';
export const hostVersion = '4.1000.0';

export class Disposable {
  dispose(): void {}
}

export function setProgrammingModel(model: ProgrammingModel): void {
  programmingModel = model;
}

export function getProgrammingModel(): ProgrammingModel {
  if (!programmingModel) throw new Error('the app has registered no function');
  return programmingModel;
}

export function registerFunction(
  metadata: Registration['metadata'],
  callback: Registration['callback'],
): Disposable {
  registrations.push({ metadata, callback });
  return new Disposable();
}

/** Ignores a hook: this host does not support them. */
export function registerHook(): Disposable {
  return new Disposable();
}

/** Logs a message of the app or the library. Omits debug messages, as in Azure. */
export function log(level: string, _category: string, message: string): void {
  if (level !== 'debug' && level !== 'trace') writeLog(level, message);
}
