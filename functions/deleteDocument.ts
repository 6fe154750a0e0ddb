import { app } from '@azure/functions';
import { deleteDocument } from '../shared/files/documents.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeEditor, parseDocumentId } from '../shared/http/params.ts';

/** Deletes a document of a project. */
app.http('deleteDocument', {
  methods: ['DELETE'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/documents/{documentId}',
  handler: endpoint('An error occurred while deleting the document', async (request, context) => {
    const { project } = await authorizeEditor(request, context);
    const documentId = parseDocumentId(request.params.documentId);
    await deleteDocument(context, project.projectId, documentId);
    return { status: 204, headers: {} };
  }),
});
