import { app } from '@azure/functions';
import { servesConsole } from '../shared/config.ts';
import { consoleFile } from '../shared/http/consoleFile.ts';
import { endpoint } from '../shared/http/endpoint.ts';

const failure = 'An error occurred while reading the console';

// Without the setting, the routes do not exist.
if (servesConsole(process.env)) {
  /** Returns the console's page. Requires no token; the page asks for one. */
  app.http('console', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'console',
    handler: endpoint(failure, async (request) =>
      // The page names its assets relative to a path without a slash at its end.
      new URL(request.url).pathname.endsWith('/')
        ? { status: 308, headers: { Location: '../console' } }
        : consoleFile(request, 'index.html'),
    ),
  });

  /** Returns a script or a style sheet of the console. */
  app.http('consoleAsset', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'console/{file}',
    handler: endpoint(failure, async (request) => consoleFile(request, request.params['file'] ?? '')),
  });
}
