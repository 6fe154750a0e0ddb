import { app } from '@azure/functions';

/* Minimal Functions app: the overhead of host and library. Bundled with and without streaming. */

declare const ENABLE_HTTP_STREAM: boolean;

app.http('constant', {
  methods: ['GET'],
  authLevel: 'anonymous',
  handler: async () => ({ status: 200, jsonBody: { status: 'completed' } }),
});

if (ENABLE_HTTP_STREAM) app.setup({ enableHttpStream: true });
