import { app } from '@azure/functions';
import { endpoint } from '../shared/http/endpoint.ts';
import { downloadSignal, fileResponse } from '../shared/http/fileResponse.ts';
import { authorizeThreadFile } from '../shared/http/params.ts';
import { openThreadFile } from '../shared/threads/generatedFiles.ts';

/** Returns the content of a file that a code interpreter made in a thread. */
app.http('getThreadFileContent', {
  methods: ['GET'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/threads/{threadId}/files/{fileId}/content',
  handler: endpoint('An error occurred while reading the file', async (request, context) => {
    const access = await authorizeThreadFile(request, context);
    const stop = downloadSignal(context);
    return fileResponse(stop, context.outgoing, await openThreadFile(context, access, stop));
  }),
});
