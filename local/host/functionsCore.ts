/*
 * Stands in for `@azure/functions-core`, the module that the Functions worker provides at run time. `@azure/functions`
 * finds it with `require` and hands it the app's real registrations, exactly as in the cloud.
 */

/** What a binding of a registered function says, as far as HTTP and queue triggers need it. */
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

/** One invocation, as the worker asks the programming model to carry it out. */
export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: Registration['callback']): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<{ returnValue?: { http?: RpcHttp } | null }>;
}

/** An HTTP answer on its way from worker to host. */
export interface RpcHttp {
  statusCode: string;
  headers: Record<string, string>;
  body?: { bytes?: Uint8Array; string?: string } | null;
}

interface ProgrammingModel {
  readonly name: string;
  readonly version: string;
  getInvocationModel(core: object): InvocationModel;
  /** `HttpUri` is where the app wants its HTTP requests when it streams (`enableHttpStream`). */
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

/** Accepted and ignored: this host has no hooks. */
export function registerHook(): Disposable {
  return new Disposable();
}

/** What app and library log; the library's debugging is left out, as in the cloud. */
export function log(level: string, _category: string, message: string): void {
  if (level !== 'debug' && level !== 'trace') console.error(`[${level}] ${message}`);
}
