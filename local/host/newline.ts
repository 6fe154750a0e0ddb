import type { IncomingMessage } from 'node:http';

/**
 * Returns whether to end a response with a line break, so that a terminal's prompt or the next response begins a line of
 * its own. The real host does not do that.
 */
export const endsWithNewline = (request: IncomingMessage, response: IncomingMessage): boolean =>
  /^curl\//.test(request.headers['user-agent'] ?? '') &&
  /^application\/([\w.-]+\+)?json\b/.test(response.headers['content-type'] ?? '') &&
  ![204, 304].includes(response.statusCode ?? 0) &&
  request.method !== 'HEAD';
