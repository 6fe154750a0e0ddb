import * as core from '@azure/functions-core';
import { AppError, fieldError } from '../errors.ts';
import {
  claimRequest,
  closeSoon,
  observeRequests,
  type ProxiedRequest,
  type Rejection,
  releaseRequest,
} from './proxyRequest.ts';
import { errorResponse, withCommonHeaders } from './responses.ts';

/*
 * `@azure/functions` is the worker's programming model: it turns invocations into calls of our functions. Where HTTP
 * streams, it leaves a request without a response when anything throws outside a function, and keeps what it has filed
 * about it for good. The model set here wraps it through the worker's own extension point.
 */

/**
 * Makes sure that every HTTP request of a streaming app gets a response and leaves nothing behind. Call it after the
 * functions are registered: the first registration sets the library's own model.
 */
export function guardProgrammingModel(): void {
  const library = core.getProgrammingModel();
  core.setProgrammingModel({
    name: library.name,
    version: library.version,
    getCapabilities: (capabilities) => library.getCapabilities(capabilities),
    getInvocationModel: (context) =>
      Object.values(context.metadata.bindings ?? {}).some(({ type }) => type === 'httpTrigger')
        ? guardInvocation(library.getInvocationModel(context), context)
        : library.getInvocationModel(context),
  });
  observeRequests(async (request, rejection) => {
    const model = library.getInvocationModel(unclaimedContext(request));
    // Takes the request out of the library's books; that it may be no good as a request does not matter any more.
    await model.getArguments().catch(() => undefined);
    await respond(model, request, toError(rejection));
  });
}

function guardInvocation(
  model: core.InvocationModel,
  { invocationId, request: { triggerMetadata } }: core.CoreInvocationContext,
): core.InvocationModel {
  let request: ProxiedRequest | undefined;
  const fail = async (message: string) => {
    if (request) await respond(model, request, new AppError('internal_error'));
    // The library's own message may quote the request, and the host logs it.
    return new Error(message);
  };
  const end = () => {
    if (!request) return;
    releaseRequest(request);
    closeSoon(request);
  };
  return {
    async getArguments() {
      request = await claimRequest(invocationId);
      if (!request) throw new Error('The request of this invocation did not arrive');
      // A query or a body with `Headers` replaces the request's own here, and throws when they are none.
      if (triggerMetadata) delete triggerMetadata['Headers'];
      try {
        return await model.getArguments();
      } catch {
        const error = await fail('The request could not be read');
        end();
        throw error;
      }
    },
    async invokeFunction(context, inputs, callback) {
      try {
        return await model.invokeFunction(context, inputs, callback);
      } catch {
        const error = await fail('The function failed');
        end();
        throw error;
      }
    },
    async getResponse(context, result) {
      try {
        return await model.getResponse(context, result);
      } catch {
        request?.outgoing.destroy();
        throw new Error('The response could not be sent');
      } finally {
        end();
      }
    },
  };
}

/** An invocation that only the library knows of. */
const unclaimedContext = ({ invocationId }: ProxiedRequest): core.CoreInvocationContext => ({
  invocationId,
  metadata: {
    name: 'unclaimed',
    bindings: {
      request: { type: 'httpTrigger', direction: 'in' },
      $return: { type: 'http', direction: 'out' },
    },
  },
  request: { invocationId, inputData: [{ name: 'request' }], triggerMetadata: {} },
  log: () => undefined,
});

const toError = (rejection: Rejection): AppError =>
  rejection === 'unclaimed'
    ? new AppError('unavailable')
    : fieldError('x-ms-invocation-id', 'The x-ms-invocation-id header is reserved.');

/** Sends an error through the library, which then forgets the request. */
async function respond(model: core.InvocationModel, request: ProxiedRequest, error: AppError): Promise<void> {
  const { invocationId, outgoing } = request;
  const response = errorResponse(error, 'The request could not be processed', invocationId);
  await model
    .getResponse({ invocationId }, withCommonHeaders(response, invocationId))
    .catch(() => outgoing.destroy());
}
