import { app } from '@azure/functions';
import openApi from '../openapi.json' with { type: 'json' };
import { conditionalResponse } from '../shared/http/conditional.ts';
import { endpoint } from '../shared/http/endpoint.ts';

/** Describes this API to whoever asks; needs no token. */
export const getOpenApi = endpoint('An error occurred while reading the API description', async (request) =>
  conditionalResponse(request, openApi, { 'Cache-Control': 'public, max-age=300' }),
);

app.http('getOpenApi', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'openapi.json',
  handler: getOpenApi,
});
