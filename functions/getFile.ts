import { app } from '@azure/functions';
import { findFile } from '../shared/files/files.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { toFileBody } from '../shared/http/fileResponse.ts';
import { authorizeFile } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';

/** Returns a file's description, without its content. */
app.http('getFile', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/files/{fileId}',
  handler: endpoint('An error occurred while reading the file', async (request, context) => {
    const { fileKey } = await authorizeFile(request, context);
    return jsonResponse(200, toFileBody(await findFile(context, fileKey)));
  }),
});
