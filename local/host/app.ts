import { glob, readFile } from 'node:fs/promises';
import { createRequire, registerHooks } from 'node:module';
import { join, resolve } from 'node:path';
import { type Binding, getProgrammingModel, type Registration, registrations } from './functionsCore.ts';
import { parseQueueOptions, type QueueFunction, type QueueOptions } from './queues.ts';

/** A loaded Functions app. */
export interface App {
  readonly routes: readonly Route[];
  readonly queueFunctions: readonly QueueFunction[];
  readonly queueOptions: QueueOptions;
  /** URL of the app's HTTP server, with HTTP streaming; see `stream` in http.ts. */
  readonly httpUri: string | undefined;
}

/** An HTTP function and its path. */
export interface Route {
  readonly registration: Registration;
  readonly methods: ReadonlySet<string>;
  /** The path, with parameters in braces. */
  readonly path: string;
  /** Matches the whole path. Its named groups are the route's parameters, percent-encoded. */
  readonly pattern: RegExp;
  /** Name of the request's binding. */
  readonly bindingName: string;
}

const core = new URL('./functionsCore.ts', import.meta.url).href;

/**
 * Loads a Functions app as the worker does: the files matched by `main` of its package.json.
 * @param folder the app's folder, with package.json and host.json.
 * @throws {Error} when `main` matches no file; the real worker would start without functions.
 */
export async function loadApp(folder: string): Promise<App> {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === '@azure/functions-core' ? { url: core, shortCircuit: true } : next(specifier, context),
  });
  const { main } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const host = JSON.parse(await readFile(join(folder, 'host.json'), 'utf8'));
  const files = await Array.fromAsync(glob(main, { cwd: folder }));
  if (files.length === 0) throw new Error(`${main} does not exist; run "npm run build" first`);
  const require = createRequire(import.meta.url);
  for (const file of files) require(resolve(folder, file));
  const prefix = host.extensions?.http?.routePrefix ?? 'api';
  const { HttpUri } = await getProgrammingModel().getCapabilities({});
  return {
    ...sortByTrigger(prefix),
    queueOptions: parseQueueOptions(host.extensions?.queues),
    httpUri: HttpUri,
  };
}

/** Sorts the functions by trigger. @throws {Error} for triggers other than HTTP and queue. */
function sortByTrigger(prefix: string): Pick<App, 'routes' | 'queueFunctions'> {
  const routes: Route[] = [];
  const queueFunctions: QueueFunction[] = [];
  for (const registration of registrations) {
    const { name, bindings } = registration.metadata;
    // The host's setting for disabling a function.
    if (process.env[`AzureWebJobs.${name}.Disabled`]?.toLowerCase() === 'true') continue;
    const [bindingName = '', trigger] =
      Object.entries(bindings).find(([, { type }]) => type.endsWith('Trigger')) ?? [];
    const { type, queueName, connection } = trigger ?? {};
    if (type === 'queueTrigger' && queueName && connection) {
      queueFunctions.push({ functionName: name, bindingName, queueName, connection });
    } else if (type === 'httpTrigger' && trigger) {
      routes.push(toRoute(registration, bindingName, trigger, prefix));
    } else {
      throw new Error(`${name} has the trigger ${type}; this host knows HTTP and queues only`);
    }
  }
  return { routes, queueFunctions };
}

function toRoute(registration: Registration, bindingName: string, trigger: Binding, prefix: string): Route {
  const { name } = registration.metadata;
  const segments = [...prefix.split('/'), ...(trigger.route ?? name).split('/')].filter(Boolean);
  const pattern = segments.map((segment) => {
    if (!/^(\{\*?\w+\}|[\w.-]+)$/.test(segment)) {
      throw new Error(`${name}: this host does not know the route syntax "${segment}"`);
    }
    return segment
      .replace('.', '\\.')
      .replace(/^\{(\w+)\}$/, '(?<$1>[^/]+)')
      .replace(/^\{\*(\w+)\}$/, '(?<$1>.*?)');
  });
  return {
    registration,
    bindingName,
    path: `/${segments.join('/')}`,
    methods: new Set((trigger.methods ?? ['GET', 'POST']).map((method) => method.toUpperCase())),
    // Paths are case-insensitive, as in the real host, which is built on ASP.NET.
    pattern: new RegExp(`^/${pattern.join('/')}/?$`, 'i'),
  };
}
