import { app } from '@azure/functions';
import { servesConsole } from '../shared/config.ts';
import { consoleFailure, consoleFile } from '../shared/http/consoleFile.ts';
import { endpoint } from '../shared/http/endpoint.ts';

// Without the setting, the route does not exist.
if (servesConsole(process.env)) {
  /** Returns the console's page. Requires no token; the page asks for one. */
  app.http('console', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'console',
    handler: endpoint(consoleFailure, async (request) =>
      // The page names its assets relative to a path without a slash at its end.
      new URL(request.url).pathname.endsWith('/')
        ? { status: 308, headers: { Location: '../console' } }
        : consoleFile(request, 'index.html'),
    ),
  });
}
