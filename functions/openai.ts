import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';

// Loaded on the first request, so that the project API starts without it.
const openFace = () => import('../shared/openai/face.ts');

/** Serves the Assistants API of a project to the official `openai` packages. */
app.http('openai', {
  methods: ['GET', 'POST', 'DELETE'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/openai/{*path}',
  handler: endpoint(
    async (...failure) => (await openFace()).toErrorResponse(...failure),
    async (request, context) => (await openFace()).serve(request, context),
  ),
});
