import { app } from '@azure/functions';
import { deleteFile } from '../shared/files/files.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { authorizeFile } from '../shared/http/params.ts';

/** Deletes a file. Messages that carry it stay, but cannot show it any more. */
app.http('deleteFile', {
  methods: ['DELETE'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/files/{fileId}',
  handler: endpoint('An error occurred while deleting the file', async (request, context) => {
    const { fileKey } = await authorizeFile(request, context);
    await deleteFile(context, fileKey);
    return { status: 204, headers: {} };
  }),
});
