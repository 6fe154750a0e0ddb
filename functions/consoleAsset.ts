import { app } from '@azure/functions';
import { servesConsole } from '../shared/config.ts';
import { consoleFailure, consoleFile } from '../shared/http/consoleFile.ts';
import { endpoint } from '../shared/http/endpoint.ts';

// Without the setting, the route does not exist.
if (servesConsole(process.env)) {
  /** Returns a script or a style sheet of the console. */
  app.http('consoleAsset', {
    methods: ['GET'],
    authLevel: 'anonymous',
    route: 'console/{file}',
    handler: endpoint(consoleFailure, async (request) => consoleFile(request, request.params['file'] ?? '')),
  });
}
