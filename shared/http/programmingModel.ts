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
 * `@azure/functions` is the worker's programming model: it turns invocations into calls of the app's functions. With HTTP
 * streaming, an error outside a function leaves a request without a response and leaks the library's state of it. The
 * model set here wraps the library's through the worker's extension point.
 */

/**
 * Ensures that every HTTP request of a streaming app gets a response and leaks nothing. Must be called after the
 * functions are registered, because the first registration sets the library's model.
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
    // Makes the library forget the request. An error does not matter, since the request is rejected anyway.
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
    // The host logs this message; the library's may quote the request.
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
      // A query parameter or body property `Headers` would replace the request's headers here, or throw.
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

/** Returns the context of an invocation that exists only for the library. */
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

/** Responds with an error through the library, which then forgets the request. */
async function respond(model: core.InvocationModel, request: ProxiedRequest, error: AppError): Promise<void> {
  const { invocationId, outgoing } = request;
  const response = errorResponse(error, 'The request could not be processed', invocationId);
  await model
    .getResponse({ invocationId }, withCommonHeaders(response, invocationId))
    .catch(() => outgoing.destroy());
}
