import { parentPort, workerData } from 'node:worker_threads';
import { type App, loadApp, type Route } from './app.ts';
import { getProgrammingModel, log, registrations } from './functionsCore.ts';

/*
 * The worker: a thread that loads the app and executes invocations, like the Functions worker process. An uncaught
 * error ends it, and a blocking function does not block the host.
 */

/** The worker's message once it has loaded the app. */
export interface Ready extends Omit<App, 'routes'> {
  readonly routes: readonly RegisteredRoute[];
}

/** A route without its function, which cannot be sent to the host. */
export interface RegisteredRoute extends Omit<Route, 'registration'> {
  readonly functionName: string;
}

/** An invocation, as in the host's protocol. */
export interface Invocation {
  readonly invocationId: string;
  readonly functionName: string;
  readonly inputData: readonly { readonly name: string; readonly data: object }[];
  readonly triggerMetadata: Record<string, object>;
}

/** Result of an invocation. */
export interface InvocationResult {
  readonly invocationId: string;
  /** `returnValue` and `outputData` of the function. */
  readonly response?: { readonly returnValue?: unknown; readonly outputData?: unknown };
  readonly error?: InvocationError;
}

export interface InvocationError {
  readonly name: string;
  /** Set if the function was not reached. The real host logs it, even if it quotes user content. */
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
