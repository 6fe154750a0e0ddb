import type { Config } from '../shared/config.ts';
import { AppError } from '../shared/errors.ts';

/*
 * Explains to a developer or operator why a dependency failed: which address was called, what it answered, and what to
 * check. For terminals, not for logs: the engine's own message is quoted, so use it only for calls without anybody's text.
 */

export interface Explanation {
  /** What was called and what came back. */
  readonly why: string;
  /** What to check, most likely first. */
  readonly check: string;
}

/** The properties read from errors of clients and of the network, whatever their class. */
interface ClientError {
  readonly name?: string;
  readonly message?: string;
  readonly status?: number;
  readonly statusCode?: number;
  readonly code?: string | null;
  readonly param?: string | null;
  readonly error?: { readonly message?: string } | null;
  readonly request?: { readonly url?: string };
  readonly errors?: readonly unknown[];
  readonly cause?: unknown;
}

/** Maximum length of a quoted message. */
const maxQuote = 300;

/** Explains a failure of any dependency. @returns undefined for an error that none of them caused. */
export function explainFailure(error: unknown, config: Config): Explanation | undefined {
  const cause = rootOf(error);
  if (cause.name === 'CredentialUnavailable') return explainEngine(error, config.engine);
  if (cause.request?.url !== undefined || isNoToken(cause)) return explainStorage(cause, config);
  return error instanceof AppError ? explainEngine(error, config.engine) : undefined;
}

/** Explains a failure of the engine. */
export function explainEngine(error: unknown, engine: Config['engine']): Explanation {
  const cause = rootOf(error);
  const { status } = cause;
  const at = `The engine at ${engine.baseUrl}`;
  if (cause.name === 'CredentialUnavailable') {
    return {
      why: `Entra ID issued no token for ${engine.tokenScope}, which the engine at ${engine.baseUrl} needs.`,
      check:
        'OPENAI_API_KEY, if the engine takes a key; otherwise sign in with "az login", or check OPENAI_TOKEN_SCOPE.',
    };
  }
  if (status === undefined) return explainSilence(cause, at);
  const said = [status, cause.code, quote(cause, engine)].filter(Boolean).join(' ');
  return { why: `${at} answered ${said}.`, check: engineChecks(status, cause, engine) };
}

/** Explains a call without a status: no connection, no response, or one that is not the API's. */
function explainSilence(cause: ClientError, at: string): Explanation {
  const code = codeOf(cause);
  if (isTimeout(cause)) {
    return {
      why: `${at} did not answer in time.`,
      check:
        'whether the address of OPENAI_BASE_URL is right, and whether a firewall or a proxy holds the request.',
    };
  }
  if (code !== undefined && /^(E[A-Z]+|UND_.*|.*CERT.*|.*TLS.*|SELF_SIGNED.*|UNABLE_.*)$/.test(code)) {
    return {
      why: `${at} cannot be reached (${code}).`,
      check:
        'host and port of OPENAI_BASE_URL, whether the engine is running, and whether a proxy or a firewall is between.',
    };
  }
  if (code !== undefined) {
    return {
      why: `${at} ended the stream with the error ${code}.`,
      check: `what its provider says about ${code}.`,
    };
  }
  if (cause.constructor.name === 'APIConnectionError') {
    return { why: `${at} cannot be reached.`, check: 'host and port of OPENAI_BASE_URL.' };
  }
  return {
    why: `${at} did not answer as the Responses and Conversations APIs do (perhaps with a web page).`,
    check: 'that OPENAI_BASE_URL is the address of the API and not of a portal; it usually ends with /v1.',
  };
}

/** What to check after an answer of the engine. */
function engineChecks(status: number, cause: ClientError, { baseUrl, apiKey }: Config['engine']): string {
  const message = cause.error?.message ?? '';
  if (status === 401 || status === 403) {
    return apiKey === undefined
      ? 'that the signed-in identity has a role on the engine (on Foundry, "Foundry User"); or set OPENAI_API_KEY.'
      : 'OPENAI_API_KEY: it must be a key of this address, valid, and allowed to use the Responses and Conversations APIs.';
  }
  if (status === 404 && isAboutModel(cause, message)) {
    return "the `model` of the assistant in ASSISTANTS: the deployment's name on Foundry, the model's id on OpenAI.";
  }
  if ((status === 404 || status === 400) && /vector.?store/i.test(message)) {
    return 'the `vectorStoreIds` of the assistant and of the project: they must exist in this engine.';
  }
  if (status === 404 || status === 405) {
    const path = new URL(baseUrl).pathname;
    return /\/v1\/?$/.test(path)
      ? 'whether the engine has this API at all: the Responses API with background mode, and the Conversations API.'
      : `OPENAI_BASE_URL: its path is "${path}", but usually ends with /v1.`;
  }
  if (status === 400 || status === 422) {
    return isAboutModel(cause, message)
      ? 'the `model` of the assistant in ASSISTANTS, and whether it can do what the assistant is set to.'
      : 'whether engine and model support every parameter that docs/configuration.md lists.';
  }
  if (status === 429) return 'quota and rate limit of the engine, and its billing.';
  if (status >= 500) return "the engine's own log or status page; try again later.";
  return 'what stands between: a proxy or a gateway may have answered in place of the engine.';
}

const isAboutModel = ({ code, param }: ClientError, message: string) =>
  param === 'model' ||
  /^(model_not_found|DeploymentNotFound)$/.test(code ?? '') ||
  /\bmodel\b/i.test(message);

/** Explains a failure of table or queue storage. */
function explainStorage(cause: ClientError, config: Config): Explanation {
  // Without the query, which holds the signature of a shared access signature.
  const [address = ''] = (cause.request?.url ?? '').split('?', 1);
  const isQueue = /\/runs(\/messages)?$/.test(address);
  const { connectionString } = isQueue ? config.queues : config.tables;
  const kind = isQueue ? 'Queue' : 'Table';
  const setting = `${isQueue ? 'QUEUES' : 'TABLES'}_${connectionString === undefined ? 'ENDPOINT' : 'CONNECTION_STRING'}`;
  const what = `${kind} storage${address && ` at ${address}`}`;
  if (isNoToken(cause)) {
    return { why: `Entra ID issued no token for ${what}.`, check: 'that you are signed in: "az login".' };
  }
  const status = cause.statusCode ?? cause.status;
  if (status === undefined) {
    const reason = isTimeout(cause)
      ? 'did not answer in time'
      : `cannot be reached (${codeOf(cause) ?? cause.name})`;
    return { why: `${what} ${reason}.`, check: `the address in ${setting}, and whether storage is running.` };
  }
  const checks: Readonly<Record<number, string>> = {
    403:
      connectionString === undefined
        ? `that the signed-in identity has the role "Storage ${kind} Data Contributor", and that the network is let in.`
        : `the account's key in ${setting}.`,
    404: `the address in ${setting}, and that ${isQueue ? 'the queue "runs" exists' : 'the tables "projects" and "threads" exist'}.`,
  };
  return {
    why: `${what} answered ${[status, cause.code].filter(Boolean).join(' ')}.`,
    check: checks[status] ?? `the address in ${setting}: it must be that of ${kind.toLowerCase()} storage.`,
  };
}

const isNoToken = ({ name = '' }: ClientError) => /Credential|AuthenticationError/.test(name);

/** Returns the error of the client that was called, below the service's own. */
export const rootOf = (error: unknown): ClientError =>
  (error instanceof AppError && error.options.cause !== undefined
    ? rootOf(error.options.cause)
    : error) as ClientError;

/** Returns the first network or API code along the chain of causes. */
export function codeOf(error: unknown, depth = 0): string | undefined {
  if (typeof error !== 'object' || error === null || depth > 5) return undefined;
  const { code, errors, cause } = error as ClientError;
  if (typeof code === 'string' && /^[\w.-]{1,64}$/.test(code)) return code;
  return codeOf(errors?.[0], depth + 1) ?? codeOf(cause, depth + 1);
}

export const isTimeout = ({ name = '', message = '' }: ClientError): boolean =>
  /Timeout|Abort/.test(name) || /timed out|aborted/i.test(message);

/** Quotes what the engine said. Not after 401 and 403, whose messages quote the key; never with the key in it. */
function quote({ status, error }: ClientError, { apiKey }: Config['engine']): string {
  const message = error?.message;
  if (typeof message !== 'string' || message === '' || status === 401 || status === 403) return '';
  const safe = apiKey === undefined ? message : message.replaceAll(apiKey, '…');
  const oneLine = safe.replace(/\s+/g, ' ').replace(/\.$/, '');
  return `"${oneLine.length > maxQuote ? `${oneLine.slice(0, maxQuote)}…` : oneLine}"`;
}
