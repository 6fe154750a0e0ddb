import { jsonResponse } from '../../http/responses.ts';
import { configuredModels, type Handler } from '../call.ts';
import { rejectUnknown } from '../query.ts';
import type { WireModel } from '../wire.ts';
import { WireError } from '../wireError.ts';

/** Lists the models that runs and assistants may choose. */
export const listModels: Handler = async (call) => {
  rejectUnknown(call.request.query, []);
  return jsonResponse(200, { object: 'list', data: [...configuredModels(call)].map(toWireModel) });
};

/** Returns a model that runs and assistants may choose. */
export const retrieveModel: Handler = async (call) => {
  rejectUnknown(call.request.query, []);
  const { model = '' } = call.params;
  if (configuredModels(call).has(model)) return jsonResponse(200, toWireModel(model));
  throw new WireError('invalid_request', {
    status: 404,
    code: 'model_not_found',
    message: `The model '${model.slice(0, 128)}' does not exist or you do not have access to it.`,
    param: 'model',
  });
};

/** The engine's own description of a model is nothing that a run depends on, so it is not asked for. */
const toWireModel = (id: string): WireModel => ({ id, object: 'model', created: 0, owned_by: 'system' });
