import { parentPort, workerData } from 'node:worker_threads';
import { type App, loadApp, type Route } from './app.ts';
import { getProgrammingModel, log, registrations } from './functionsCore.ts';

/*
 * The worker: a thread that loads the app and carries out invocations, as the Functions worker is a process of its own.
 * What throws outside a function's promise ends it, and a function that blocks does not block the host.
 */

/** What the worker says once it has loaded the app. */
export interface Ready extends Omit<App, 'routes'> {
  readonly routes: readonly RegisteredRoute[];
}

/** A route without the function itself, which cannot leave the worker. */
export interface RegisteredRoute extends Omit<Route, 'registration'> {
  readonly functionName: string;
}

/** What the host asks the worker to carry out, in the terms of the host's protocol. */
export interface Invocation {
  readonly invocationId: string;
  readonly functionName: string;
  readonly inputData: readonly { readonly name: string; readonly data: object }[];
  readonly triggerMetadata: Record<string, object>;
}

/** How an invocation ended. */
export interface InvocationResult {
  readonly invocationId: string;
  /** `returnValue` and `outputData` of the function. */
  readonly response?: { readonly returnValue?: unknown; readonly outputData?: unknown };
  readonly error?: InvocationError;
}

export interface InvocationError {
  readonly name: string;
  /** The message, when the function itself was not reached: the real host logs it, whatever it quotes. */
  readonly message: string | undefined;
}

async function invoke({ functionName, ...request }: Invocation): Promise<InvocationResult> {
  const { invocationId } = request;
  let reached = false;
  try {
    const registration = registrations.find(({ metadata }) => metadata.name === functionName);
    if (!registration) throw new Error(`there is no function ${functionName}`);
    const { metadata, callback } = registration;
    const model = getProgrammingModel().getInvocationModel({ invocationId, metadata, request, log });
    const { context, inputs } = await model.getArguments();
    reached = true;
    const result = await model.invokeFunction(context, inputs, callback);
    return { invocationId, response: await model.getResponse(context, result) };
  } catch (error) {
    const { name, message } = error as Error;
    return { invocationId, error: { name, message: reached ? undefined : message } };
  }
}

if (!parentPort) throw new Error('this is the entry of a worker thread');
const host = parentPort;
const { routes, ...app } = await loadApp(workerData);
host.on('message', async (invocation: Invocation) => host.postMessage(await invoke(invocation)));
host.postMessage({
  ...app,
  routes: routes.map(({ registration, ...route }) => ({
    ...route,
    functionName: registration.metadata.name,
  })),
} satisfies Ready);
