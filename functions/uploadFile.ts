import { app } from '@azure/functions';
import { uploadFile } from '../shared/files/files.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { fileLocation, toFileBody } from '../shared/http/fileResponse.ts';
import { authorize } from '../shared/http/params.ts';
import { jsonResponse } from '../shared/http/responses.ts';

/** Uploads a file to a project, for use as an attachment. */
app.http('uploadFile', {
  methods: ['POST'],
  authLevel: 'anonymous',
  route: 'projects/{projectId}/files',
  handler: endpoint('An error occurred while uploading the file', async (request, context) => {
    const { project } = await authorize(request, context);
    const upload = await request.upload(context.config.maxFileBytes);
    const file = await uploadFile(context, project.projectId, upload, context.signal);
    return jsonResponse(201, toFileBody(file), { Location: fileLocation(file) });
  }),
});
