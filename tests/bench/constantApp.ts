import { app } from '@azure/functions';

/* The least a Functions app can be: what any app pays to host and library. Bundled with and without streaming. */

declare const ENABLE_HTTP_STREAM: boolean;

app.http('constant', {
  methods: ['GET'],
  authLevel: 'anonymous',
  handler: async () => ({ status: 200, jsonBody: { status: 'completed' } }),
});

if (ENABLE_HTTP_STREAM) app.setup({ enableHttpStream: true });
