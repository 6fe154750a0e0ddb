import { app } from '@azure/functions';
import openApi from '../openapi.json' with { type: 'json' };
import { conditionalResponse } from '../shared/http/conditional.ts';
import { endpoint } from '../shared/http/endpoint.ts';

/** Returns the OpenAPI description of this API. Requires no token. */
app.http('getOpenApi', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'openapi.json',
  handler: endpoint('An error occurred while reading the API description', async (request) => {
    return conditionalResponse(request, openApi, { 'Cache-Control': 'public, max-age=300' });
  }),
});
