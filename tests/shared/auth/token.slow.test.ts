import { createPublicKey, createSecretKey, KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type CryptoKey, EncryptJWT, exportJWK, generateKeyPair, type JWK } from 'jose';
import { startProcess, type TestProcess } from '../../support/process.ts';
import type { Call, TestResponse } from '../../support/service.ts';
import { useService } from '../../support/useService.ts';

interface Pair {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

const signingAlgorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
];

const t = useService();
let thread: string;
let run: string;
/** By algorithm; all published by the issuer from the start. */
const pairs = new Map<string, Pair>();
/** Published, but for encryption. */
let encryptionPair: Pair;
/** Of somebody else than the issuer. */
let foreign: Pair;
/** Serves the foreign key wherever it is asked for; nobody should. */
let lure: { server: Server; url: string; requests: number };
const sharedSecret = randomBytes(32);

beforeAll(async () => {
  for (const algorithm of signingAlgorithms) pairs.set(algorithm, await createPair(algorithm, algorithm));
  encryptionPair = await createPair('RS256', 'encryption');
  foreign = await createPair('RS256', 'foreign');
  t.issuer.publish([
    t.issuer.publicJwk,
    ...[...pairs.values()].map(({ jwk }) => jwk),
    { ...encryptionPair.jwk, use: 'enc' },
    { kty: 'oct', kid: 'shared', alg: 'HS256', use: 'sig', k: sharedSecret.toString('base64url') },
  ]);
  const { server, url } = await serve((_request, response) => {
    lure.requests++;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ keys: [{ ...foreign.jwk, kid: 'test-key' }] }));
  });
  lure = { server, url, requests: 0 };
  ({ thread, run } = await t.startRun());
  await t.finish(run);
});
afterAll(async () => {
  lure.server.close();
});

interface Route {
  readonly route: string;
  readonly path: () => string;
  readonly request: Omit<Call, 'token' | 'headers'>;
  readonly success: number;
  readonly failure: string;
}

const routes: Route[] = [
  {
    route: 'createRun',
    path: () => `${thread}/runs`,
    request: { method: 'POST', body: { message: 'Hello' } },
    success: 201,
    failure: 'An error occurred while creating the thread run',
  },
  {
    route: 'getRun',
    path: () => run,
    request: {},
    success: 200,
    failure: 'An error occurred while checking the run status',
  },
  {
    route: 'createThread',
    path: () => `projects/${t.projectId}/threads`,
    request: { method: 'POST' },
    success: 201,
    failure: 'An error occurred while creating the thread',
  },
  {
    route: 'getThread',
    path: () => thread,
    request: {},
    success: 200,
    failure: 'An error occurred while reading the thread',
  },
];

const nowSeconds = () => Math.floor(Date.now() / 1000);

/** What a good token says. */
const claims = () => ({
  iss: t.issuer.url,
  aud: t.issuer.audience,
  sub: 'tester',
  iat: nowSeconds(),
  exp: nowSeconds() + 3600,
  projects: [t.projectId],
});

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token of any header and payload, signed RS256 whatever its header says: by the issuer unless told otherwise. */
function forge(header: unknown, payload: unknown, key: CryptoKey = t.issuer.privateKey): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign('sha256', Buffer.from(input), KeyObject.from(key)).toString('base64url')}`;
}

const good = { alg: 'RS256', kid: 'test-key', typ: 'JWT' };

/** A token with these claims instead of the good ones. */
const withClaims = (changed: Record<string, unknown>) => forge(good, { ...claims(), ...changed });

/** A token that an issuer would sign with a shared secret. */
const withSecret = (secret: string | Buffer, kid = 'test-key') =>
  t.issuer.sign(
    { projects: [t.projectId] },
    { key: createSecretKey(Buffer.from(secret)).export(), header: { alg: 'HS256', kid } },
  );

const issuerKey = (type: 'spki' | 'pkcs1') =>
  String(createPublicKey({ key: { ...t.issuer.publicJwk }, format: 'jwk' }).export({ format: 'pem', type }));

/** Replaces a part of a good token. */
async function tampered(part: 0 | 1 | 2, change: (text: string) => string): Promise<string> {
  const parts = (await t.issuer.sign({ projects: [t.projectId] })).split('.');
  parts[part] = change(parts[part] ?? '');
  return parts.join('.');
}

const changeJson = (changed: object) => (text: string) =>
  encode({ ...JSON.parse(Buffer.from(text, 'base64url').toString()), ...changed });

const flipped = (text: string) => {
  const bytes = Buffer.from(text, 'base64url');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString('base64url');
};

interface Forgery {
  readonly name: string;
  readonly token: () => string | Promise<string>;
  readonly code?: 'token_expired';
}

const forgeries: Forgery[] = [
  { name: 'a word', token: () => 'token' },
  { name: 'two dots', token: () => '..' },
  { name: 'three words', token: () => 'never.a.token' },
  { name: 'a header that is no object', token: () => forge('null', claims()) },
  { name: 'a header without an algorithm', token: () => forge({ kid: 'test-key' }, claims()) },
  { name: 'an algorithm that is no text', token: () => forge({ ...good, alg: ['RS256'] }, claims()) },
  { name: 'a payload that is no JSON', token: () => forge(good, 'no JSON') },
  { name: 'a payload of null', token: () => forge(good, 'null') },
  { name: 'a payload that is a list', token: () => forge(good, [claims()]) },
  {
    name: 'an empty signature',
    token: async () => (await t.issuer.sign()).replace(/[^.]+$/, ''),
  },
  {
    name: 'no signature part',
    token: async () => (await t.issuer.sign()).replace(/\.[^.]+$/, ''),
  },
  { name: 'a part too many', token: async () => `${await t.issuer.sign()}.e30` },

  { name: 'no exp', token: () => withClaims({ exp: undefined }) },
  { name: 'an exp that is text', token: () => withClaims({ exp: String(nowSeconds() + 3600) }) },
  { name: 'an exp of null', token: () => withClaims({ exp: null }) },
  { name: 'an exp in the past', token: () => withClaims({ exp: nowSeconds() - 1 }), code: 'token_expired' },
  { name: 'an exp long past', token: () => withClaims({ exp: 0 }), code: 'token_expired' },
  { name: 'an nbf in the future', token: () => withClaims({ nbf: nowSeconds() + 600 }) },
  { name: 'an nbf that is text', token: () => withClaims({ nbf: 'now' }) },
  { name: 'no iss', token: () => withClaims({ iss: undefined }) },
  { name: 'another iss', token: () => withClaims({ iss: 'https://other.example' }) },
  { name: 'an iss that differs by a slash', token: () => withClaims({ iss: `${t.issuer.url}/` }) },
  { name: 'an iss that is a list', token: () => withClaims({ iss: [t.issuer.url] }) },
  { name: 'no aud', token: () => withClaims({ aud: undefined }) },
  { name: 'another aud', token: () => withClaims({ aud: 'another-service' }) },
  { name: 'an aud in other letters', token: () => withClaims({ aud: 'TESTS' }) },
  { name: 'an aud that only begins right', token: () => withClaims({ aud: 'tests-other' }) },
  { name: 'a list of other auds', token: () => withClaims({ aud: ['another-service', ''] }) },
  { name: 'an empty list of auds', token: () => withClaims({ aud: [] }) },
  { name: 'an aud that is an object', token: () => withClaims({ aud: { tests: true } }) },
  { name: 'no sub', token: () => withClaims({ sub: undefined }) },
  { name: 'an empty sub', token: () => withClaims({ sub: '' }) },
  { name: 'a sub that is a number', token: () => withClaims({ sub: 5 }) },
  { name: 'a sub that is a list', token: () => withClaims({ sub: ['tester'] }) },

  { name: 'alg none', token: () => `${encode({ ...good, alg: 'none' })}.${encode(claims())}.` },
  { name: 'alg NoNe', token: () => `${encode({ ...good, alg: 'NoNe' })}.${encode(claims())}.` },
  { name: 'alg none and a signature', token: () => forge({ ...good, alg: 'none' }, claims()) },
  { name: 'HMAC with the public key as PEM', token: () => withSecret(issuerKey('spki')) },
  { name: 'HMAC with the public key as PEM, trimmed', token: () => withSecret(issuerKey('spki').trim()) },
  { name: 'HMAC with the public key as PKCS #1', token: () => withSecret(issuerKey('pkcs1')) },
  {
    name: 'HMAC with the public key as JWK',
    token: () => withSecret(JSON.stringify(t.issuer.publicJwk)),
  },
  {
    name: "HMAC with the public key's modulus",
    token: () => withSecret(Buffer.from(t.issuer.publicJwk.n ?? '', 'base64url')),
  },
  { name: 'HMAC with a secret that the issuer published', token: () => withSecret(sharedSecret, 'shared') },
  { name: 'a foreign key under our kid', token: () => forge(good, claims(), foreign.privateKey) },
  {
    name: 'a foreign key in its own jwk header',
    token: () => forge({ ...good, jwk: foreign.jwk }, claims(), foreign.privateKey),
  },
  {
    name: 'a foreign key in its own jwk header and no kid',
    token: () => forge({ alg: 'RS256', jwk: foreign.jwk }, claims(), foreign.privateKey),
  },
  {
    name: 'a jku header that leads to a foreign key',
    token: () => forge({ ...good, jku: `${lure.url}/keys` }, claims(), foreign.privateKey),
  },
  {
    name: 'an x5c header with a foreign certificate',
    token: () => forge({ ...good, x5c: [certificate(foreign)] }, claims(), foreign.privateKey),
  },
  {
    name: 'an x5u header that leads to a foreign certificate',
    token: () => forge({ ...good, x5u: `${lure.url}/certificate` }, claims(), foreign.privateKey),
  },
  {
    name: 'a kid that is an address',
    token: () => forge({ ...good, kid: `${lure.url}/keys` }, claims(), foreign.privateKey),
  },
  {
    name: 'a kid that is a path of a file',
    token: () => withSecret(Buffer.alloc(1), '../../../../dev/null'),
  },
  { name: 'an unknown kid', token: () => forge({ ...good, kid: 'unknown' }, claims()) },
  { name: 'a kid that is no text', token: () => forge({ ...good, kid: { $ne: '' } }, claims()) },
  {
    name: 'a key that is for encryption',
    token: () => forge({ ...good, kid: 'encryption' }, claims(), encryptionPair.privateKey),
  },
  { name: "an algorithm that is not the key's", token: () => forge({ ...good, alg: 'RS512' }, claims()) },
  { name: 'an algorithm of another kind of key', token: () => forge({ ...good, alg: 'ES256' }, claims()) },
  { name: 'a changed header', token: () => tampered(0, changeJson({ typ: 'at+jwt' })) },
  { name: 'a changed payload', token: () => tampered(1, changeJson({ sub: 'somebody-else' })) },
  { name: 'a changed signature', token: () => tampered(2, flipped) },
  { name: 'a signature cut short', token: () => tampered(2, (text) => text.slice(0, -4)) },
  { name: 'a signature with letters outside base64url', token: () => tampered(2, (text) => `${text}!`) },
  {
    name: 'a crit header that it does not know',
    token: () => forge({ ...good, crit: ['urn:example:rule'], 'urn:example:rule': true }, claims()),
  },
  { name: 'an empty crit header', token: () => forge({ ...good, crit: [] }, claims()) },
  {
    name: 'b64 false',
    token: () => forge({ ...good, crit: ['b64'], b64: false }, claims()),
  },
  {
    name: 'encryption instead of a signature',
    token: () =>
      new EncryptJWT(claims())
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'test-key' })
        .encrypt(sharedSecret),
  },
];

describe.each(routes)('$route', ({ path, request, success }) => {
  test.each(forgeries)('refuses a token with $name', async ({ token, code = 'unauthorized' }) => {
    const response = await t.call(path(), { ...request, token: await token() });
    await expectUnauthorized(response, code);
    expect(response.headers.get('WWW-Authenticate')).toMatch(/^Bearer realm="[^"]+", error="invalid_token"/);
    expect(lure.requests).toBe(0);
  });

  test.each<[string, (token: string) => Record<string, string>]>([
    ['no Authorization header', () => ({})],
    ['an empty Authorization header', () => ({ Authorization: '' })],
    ['the scheme alone', () => ({ Authorization: 'Bearer ' })],
    ['a token without a scheme', (token) => ({ Authorization: token })],
    ['another scheme', (token) => ({ Authorization: `Basic ${token}` })],
    ['a scheme that only begins right', (token) => ({ Authorization: `BearerX ${token}` })],
    ['two tokens', (token) => ({ Authorization: `Bearer ${token}, Bearer ${token}` })],
    ['the token in another header', (token) => ({ 'X-Authorization': `Bearer ${token}` })],
    [
      'the token in a cookie',
      (token) => ({ Cookie: `Authorization=Bearer ${token}; access_token=${token}` }),
    ],
  ])('refuses a request with %s', async (_name, headers) => {
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const response = await t.call(path(), { ...request, token: null, headers: headers(token) });
    await expectUnauthorized(response);
    // RFC 6750, section 3.1: no error where no token was given.
    expect(response.headers.get('WWW-Authenticate')).toMatch(/^Bearer realm="[^"]+"$/);
  });

  test('refuses a request with the token in its query or body', async () => {
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const query = new URLSearchParams({ access_token: token, Authorization: `Bearer ${token}`, code: token });
    const body = { message: 'Hello', access_token: token, Headers: { Authorization: `Bearer ${token}` } };
    const response = await t.call(`${path()}?${query}`, {
      ...request,
      token: null,
      ...(request.method === 'POST' && { body }),
    });
    await expectUnauthorized(response);
  });

  test.each<[string, () => Record<string, unknown>]>([
    ['the audience', () => ({})],
    ['a list of audiences with ours', () => ({ aud: ['another-service', t.issuer.audience] })],
    ['an nbf in the past', () => ({ nbf: nowSeconds() - 1 })],
  ])('accepts a valid token with %s', async (_name, changed) => {
    const token = await t.issuer.sign({ projects: [t.projectId], ...changed() });
    expect((await t.call(path(), { ...request, token })).status).toBe(success);
  });
});

async function expectUnauthorized(response: TestResponse, code = 'unauthorized'): Promise<void> {
  expect(response.status).toBe(401);
  expect(response.body).toEqual({ message: 'Unauthorized access', code });
  expect(response.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
  expect(response.headers.get('X-Request-Id')).toMatch(/^[\w-]{36}$/);
  expect(t.store.roundTrips).toEqual([]);
  expect(await t.engine.calls()).toEqual([]);
}

describe('a key of the issuer', () => {
  test.each(signingAlgorithms)('signs %s tokens that are accepted', async (algorithm) => {
    const { privateKey, jwk } = pairs.get(algorithm) ?? fail(algorithm);
    const token = await t.issuer.sign(
      { projects: [t.projectId] },
      { key: privateKey, header: { alg: algorithm, kid: jwk.kid } },
    );
    expect((await t.call(thread, { token })).status).toBe(200);
  });

  test('is found for the scheme in any letters', async () => {
    const token = await t.issuer.sign({ projects: [t.projectId] });
    const headers = { Authorization: `bEARER ${token}` };
    expect((await t.call(thread, { token: null, headers })).status).toBe(200);
  });
});

describe('the keys of the issuer', () => {
  const onEnd: (() => unknown)[] = [];
  let clock: string;

  /** The app alone once more, with no key fetched yet. */
  const startApp = async (settings: Record<string, string> = {}) => {
    const app = await startProcess('local/host/main.ts', [], { ...t.settings, ...settings });
    onEnd.push(() => app.stop());
    return app;
  };

  /** A further app whose clock runs ahead by the milliseconds in a file, as far as the cache of keys can tell. */
  const startAppAhead = async () => {
    await setAhead(0);
    const script = `import { readFileSync } from 'node:fs';
      const now = Date.now;
      Date.now = () => now() + Number(readFileSync(${JSON.stringify(clock)}, 'utf8'));`;
    return startApp({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` });
  };
  const setAhead = (seconds: number) => writeFile(clock, String(seconds * 1000));

  const ask = async (
    { url }: TestProcess,
    { path, request }: Pick<Route, 'path' | 'request'>,
    token: string,
  ) => {
    const { method = 'GET', body } = request;
    const response = await fetch(`${url}/api/${path()}`, {
      method,
      headers: { Authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: a test asserts on whatever came.
    const json: any = await response.json();
    return { status: response.status, headers: response.headers, body: json };
  };
  const reading = { path: () => thread, request: {} };
  const statusOf = async (app: TestProcess, token: string) => (await ask(app, reading, token)).status;
  const valid = () => t.issuer.sign({ projects: [t.projectId] });
  const signedBy = ({ privateKey, jwk }: Pair) =>
    t.issuer.sign({ projects: [t.projectId] }, { key: privateKey, header: { kid: jwk.kid } });

  /** What every route answers while keys cannot be had. */
  const expectUnavailable = async (app: TestProcess) => {
    const token = await valid();
    t.store.reset();
    await t.engine.reset();
    const responses = await Promise.all(routes.map((route) => ask(app, route, token)));
    for (const [index, { status, headers, body }] of responses.entries()) {
      const details = headers.get('X-Request-Id');
      expect(body).toEqual({ message: routes[index]?.failure, code: 'unavailable', details });
      expect(status).toBe(503);
      expect(headers.get('Retry-After')).toMatch(/^[1-9]\d*$/);
      expect(headers.get('WWW-Authenticate')).toBeNull();
    }
    expect(t.store.roundTrips).toEqual([]);
    expect(await t.engine.calls()).toEqual([]);
  };

  beforeAll(async () => {
    clock = join(await mkdtemp(join(tmpdir(), 'clock-')), 'ahead');
  });
  beforeEach(() => {
    t.issuer.publish([t.issuer.publicJwk]);
    t.issuer.requests.keys = 0;
    t.issuer.requests.configuration = 0;
  });
  afterEach(async () => {
    t.issuer.behaviour = 'well';
    await Promise.all(onEnd.splice(0).map((end) => end()));
  });
  afterAll(() => rm(join(clock, '..'), { recursive: true }));

  test('are asked for once, by the first request with a token, however many come at the same time', async () => {
    const app = await startApp();
    expect((await fetch(`${app.url}/api/${thread}`)).status).toBe(401);
    expect(t.issuer.requests).toEqual({ configuration: 0, keys: 0 });
    const token = await valid();
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(app, token)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(t.issuer.requests).toEqual({ configuration: 1, keys: 1 });
  });

  test('are not asked for again by a flood of unknown kids', async () => {
    const app = await startApp();
    const flood = async (prefix: string) => {
      const tokens = Array.from({ length: 30 }, (_, index) =>
        forge({ ...good, kid: `${prefix}${index}` }, claims()),
      );
      return new Set(await Promise.all(tokens.map((token) => statusOf(app, token))));
    };
    expect(await flood('first')).toEqual(new Set([401]));
    expect(await flood('second')).toEqual(new Set([401]));
    expect(t.issuer.requests).toEqual({ configuration: 1, keys: 1 });
  });

  test('are asked for at most once more when unknown kids come after the cool-down', async () => {
    const app = await startAppAhead();
    expect(await statusOf(app, await valid())).toBe(200);
    await setAhead(31);
    const tokens = Array.from({ length: 30 }, (_, index) => forge({ ...good, kid: `kid${index}` }, claims()));
    const statuses = await Promise.all(tokens.map((token) => statusOf(app, token)));
    expect(new Set(statuses)).toEqual(new Set([401]));
    expect(t.issuer.requests.keys).toBe(2);
  });

  test('are taken over when the issuer changes them: a new one within 30 s, and no former one after that', async () => {
    const app = await startAppAhead();
    const next = await createPair('RS256', 'next-key');
    expect(await statusOf(app, await valid())).toBe(200);
    t.issuer.publish([next.jwk]);
    expect(await statusOf(app, await signedBy(next))).toBe(401);
    expect(await statusOf(app, await valid())).toBe(200);
    await setAhead(31);
    expect(await statusOf(app, await signedBy(next))).toBe(200);
    expect(await statusOf(app, await valid())).toBe(401);
  });

  test('are dropped ten minutes after the issuer withdrew them, though nobody used a new one', async () => {
    const app = await startAppAhead();
    const token = await valid();
    expect(await statusOf(app, token)).toBe(200);
    t.issuer.publish([foreign.jwk]);
    await setAhead(601);
    expect(await statusOf(app, token)).toBe(401);
  });

  test('stay in use while the issuer is away, whatever unknown kids arrive', async () => {
    const app = await startAppAhead();
    const token = await valid();
    expect(await statusOf(app, token)).toBe(200);
    t.issuer.behaviour = 'away';
    await setAhead(31);
    expect(await statusOf(app, forge({ ...good, kid: 'unknown' }, claims()))).toBe(503);
    expect(await statusOf(app, token)).toBe(200);
  });

  test('are asked for again after a failure: 503 while the issuer is out of order, and no longer', async () => {
    const discovering = await startApp();
    const told = await startApp({ JWT_JWKS_URI: `${t.issuer.url}/keys` });
    const expectBothUnavailable = () =>
      Promise.all([expectUnavailable(discovering), expectUnavailable(told)]);
    for (const behaviour of ['away', 'broken', 'hangs'] as const) {
      t.issuer.behaviour = behaviour;
      await expectBothUnavailable();
    }
    t.issuer.behaviour = 'well';
    for (const keys of ['none', ['key'], undefined]) {
      t.issuer.publish(keys as JWK[]);
      await expectBothUnavailable();
    }
    t.issuer.publish([t.issuer.publicJwk]);
    expect(await statusOf(discovering, await valid())).toBe(200);
    const { configuration } = t.issuer.requests;
    expect(await statusOf(told, await valid())).toBe(200);
    expect(t.issuer.requests.configuration).toBe(configuration);
  });

  test('are asked for without discovery when JWT_JWKS_URI says where they are', async () => {
    const app = await startApp({ JWT_JWKS_URI: `${t.issuer.url}/keys` });
    expect(await statusOf(app, await valid())).toBe(200);
    expect(t.issuer.requests).toEqual({ configuration: 0, keys: 1 });
  });

  test('are not asked for where metadata of another shape or issuer sends it: 503 until it is right', async () => {
    let metadata: { status?: number; headers?: Record<string, string>; body?: unknown } = {};
    const { server, url } = await serve((_request, response) => {
      response.writeHead(metadata.status ?? 200, { 'Content-Type': 'application/json', ...metadata.headers });
      response.end(JSON.stringify(metadata.body));
    });
    onEnd.push(() => {
      server.close();
      server.closeAllConnections();
    });
    const keys = `${t.issuer.url}/keys`;
    const elsewhere = `${t.issuer.url}/.well-known/openid-configuration`;
    const wrong: Record<string, typeof metadata> = {
      'another issuer': { body: { issuer: t.issuer.url, jwks_uri: keys } },
      'an issuer with a slash more': { body: { issuer: `${url}/`, jwks_uri: keys } },
      'no issuer': { body: { jwks_uri: keys } },
      'no address of keys': { body: { issuer: url } },
      'no whole address of keys': { body: { issuer: url, jwks_uri: '/keys' } },
      'a redirect': { status: 302, headers: { Location: elsewhere }, body: { issuer: url, jwks_uri: keys } },
      null: { body: null },
    };
    const app = await startApp({ JWT_ISSUER: url });
    const token = await t.issuer.sign({ iss: url, projects: [t.projectId] });
    for (const [name, served] of Object.entries(wrong)) {
      metadata = served;
      const { status, body } = await ask(app, reading, token);
      expect({ name, status, code: body.code }).toEqual({ name, status: 503, code: 'unavailable' });
    }
    expect(t.issuer.requests).toEqual({ configuration: 0, keys: 0 });
    metadata = { body: { issuer: url, jwks_uri: keys } };
    expect(await statusOf(app, token)).toBe(200);
  });
});

async function createPair(algorithm: string, kid: string): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } };
}

async function serve(listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A self-signed certificate of a key (X.509, version 1), in base64 as `x5c` has it. */
function certificate({ privateKey, jwk }: Pair): string {
  const der = (tag: number, ...parts: Buffer[]): Buffer => {
    const content = Buffer.concat(parts);
    const size = Buffer.from([content.length >> 8, content.length & 0xff]);
    return Buffer.concat([Buffer.from([tag, 0x82]), size, content]);
  };
  const sha256WithRsa = der(0x30, Buffer.from('06092a864886f70d01010b0500', 'hex'));
  const name = der(0x30);
  const time = (text: string) => der(0x17, Buffer.from(text));
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' }).export({ format: 'der', type: 'spki' });
  const content = der(
    0x30,
    der(0x02, Buffer.from([1])),
    sha256WithRsa,
    name,
    der(0x30, time('200101000000Z'), time('491231235959Z')),
    name,
    key,
  );
  const signature = sign('sha256', content, KeyObject.from(privateKey));
  const all = der(0x30, content, sha256WithRsa, der(0x03, Buffer.from([0]), signature));
  if (!new X509Certificate(all).checkPrivateKey(KeyObject.from(privateKey)))
    throw new Error('no certificate');
  return all.toString('base64');
}

function fail(reason: string): never {
  throw new Error(reason);
}
