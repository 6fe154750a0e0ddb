import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Controlled, control } from './control.ts';
import { ApiError } from './errors.ts';
import { actAfter, actBefore } from './faults.ts';
import {
  type Call,
  type HandlerResult,
  parseBody,
  parseForm,
  readContent,
  send,
  toErrorResult,
} from './http.ts';
import { newId } from './ids.ts';
import { findRoute } from './routes.ts';

/** Serves a request below `/control/`, which is neither logged nor subject to faults. */
export async function serveControl(
  controlled: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
) {
  const { method = '', url = '' } = request;
  const content = await readContent(request);
  const respond = async () => control(controlled, method, url, parseBody(content));
  send(response, await respond().catch(toErrorResult));
}

/** Serves a request to the API, applying a matching fault. */
export async function serveApi(
  controlled: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedAtMs = Date.now();
  const { method = '', url = '' } = request;
  const [path = '', search = ''] = url.split('?', 2);
  const query = new URLSearchParams(search);
  const isLate = path.split('/').some((part) => controlled.cleared.has(part));
  const entry = isLate ? undefined : controlled.calls.add(method, path, search);
  const fault = isLate ? null : controlled.faults.take(method, path, query.get('stream') === 'true');
  setHeaders(response);
  // Read before any delay: a request that has arrived is handled even if the client disconnects.
  const content = await readContent(request);
  const isDone = fault !== null && (await actBefore(fault, response));
  if (!isDone) {
    const onDisconnect = (listener: () => void) => {
      if (response.destroyed) listener();
      else response.on('close', () => response.writableFinished || listener());
    };
    const streamFault = fault?.kind === 'stream' ? fault : null;
    const call = { query, content, onDisconnect, streamFault };
    const result = await handleApi(controlled, request, path, call).catch(toErrorResult);
    if ('content' in result && fault?.kind === 'cut') result.cutAfterBytes = fault.afterBytes;
    if (!(fault && actAfter(fault, response))) send(response, result, Date.now() - startedAtMs);
  }
  if (entry && response.headersSent) entry.status = response.statusCode;
}

type UnparsedCall = Omit<Call, 'ids' | 'body' | 'form'> & { content: Buffer };

async function handleApi(
  { engine, apiKey }: Controlled,
  { method = '', headers }: IncomingMessage,
  path: string,
  { content, ...call }: UnparsedCall,
): Promise<HandlerResult> {
  authorize(headers.authorization, apiKey);
  const { handler, ids } = findRoute(method, path);
  const type = headers['content-type'] ?? '';
  const form = type.startsWith('multipart/form-data') ? await parseForm(content, type) : null;
  return handler(engine, { ...call, ids, form, body: form ? {} : parseBody(content) });
}

function setHeaders(response: ServerResponse): void {
  response.setHeader('x-request-id', newId('req'));
  response.setHeader('openai-version', '2020-10-01');
  response.setHeader('x-ratelimit-limit-requests', '10000');
  response.setHeader('x-ratelimit-remaining-requests', '9999');
  response.setHeader('x-ratelimit-reset-requests', '6ms');
  response.setHeader('x-ratelimit-limit-tokens', '2000000');
  response.setHeader('x-ratelimit-remaining-tokens', '1999000');
  response.setHeader('x-ratelimit-reset-tokens', '30ms');
}

/** Checks the API key. @throws {ApiError} 401 without a bearer token, or with a wrong one. */
function authorize(header: string | undefined, apiKey: string | undefined): void {
  const token = /^Bearer (.+)$/i.exec(header ?? '')?.[1]?.trim();
  if (!token) {
    const hint = 'You need to provide your API key in an Authorization header using Bearer auth';
    throw new ApiError(401, `You didn't provide an API key. ${hint} (i.e. Authorization: Bearer YOUR_KEY).`);
  }
  if (apiKey !== undefined && token !== apiKey) {
    throw new ApiError(401, 'Incorrect API key provided.', { code: 'invalid_api_key' });
  }
}
