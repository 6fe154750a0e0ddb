import { app } from '@azure/functions';
import { openFile } from '../shared/files/files.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { downloadSignal, fileResponse } from '../shared/http/fileResponse.ts';
import { authorizeFile } from '../shared/http/params.ts';

/** Returns the content of a file. */
app.http('getFileContent', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/files/{fileId}/content',
  handler: endpoint('An error occurred while reading the file', async (request, context) => {
    const { fileKey } = await authorizeFile(request, context);
    const stop = downloadSignal(context);
    return fileResponse(stop, context.outgoing, await openFile(context, fileKey, stop));
  }),
});
