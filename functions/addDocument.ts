import { app } from '@azure/functions';
import { addDocument } from '../shared/files/documents.ts';
import { toDocumentBody } from '../shared/http/documentBody.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeEditor } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';

/** Adds a document to a project; every run of the project searches it. */
app.http('addDocument', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/documents',
  handler: endpoint('An error occurred while adding the document', async (request, context) => {
    const { project } = await authorizeEditor(request, context);
    const upload = await request.upload(context.config.maxFileBytes);
    const document = await addDocument(context, project.projectId, upload, context.signal);
    return jsonResponse(201, toDocumentBody(project.projectId, document));
  }),
});
