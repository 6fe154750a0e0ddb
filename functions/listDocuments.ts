import { app } from '@azure/functions';
import { listDocuments } from '../shared/files/documents.ts';
import { toDocumentBody } from '../shared/http/documentBody.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeEditor } from '../shared/http/params.ts';
import { parseAfter, parseLimit } from '../shared/http/query.ts';
import { jsonResponse } from '../shared/http/responses.ts';
import { isDocumentId } from '../shared/model/ids.ts';

/** Lists a project's documents, newest first. */
app.http('listDocuments', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/documents',
  handler: endpoint('An error occurred while listing the documents', async (request, context) => {
    const { projectId } = (await authorizeEditor(request, context)).project;
    const page = { limit: parseLimit(request), after: parseAfter(request, isDocumentId) };
    const { items, hasMore, lastId = null } = await listDocuments(context, projectId, page);
    const documents = items.map((document) => toDocumentBody(projectId, document));
    return jsonResponse(200, { documents, hasMore, lastId });
  }),
});
