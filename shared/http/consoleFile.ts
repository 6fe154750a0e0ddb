import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { HttpResponseInit } from '@azure/functions';
import type { ApiRequest } from './endpoint.ts';

/** What a request for a file of the console gets when it fails. */
export const consoleFailure = 'An error occurred while reading the console';

const mediaTypes: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

/**
 * Headers of every file. The page shows text that people and models wrote, and holds a token: it runs its own script
 * only, and sends nothing to other origins.
 */
const securityHeaders = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' blob: data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** Compressed files by name. There are three, so nothing is evicted. */
const compressed = new Map<string, Promise<Buffer>>();

/**
 * Returns a file of the console: the page, to be revalidated, or one of its assets, whose name changes with its
 * content. An unknown name gets what the host sends for an unknown route: an empty 404.
 */
export async function consoleFile(
  { headers }: Pick<ApiRequest, 'headers'>,
  name: string,
): Promise<HttpResponseInit> {
  // Loaded on first use, because most workers never serve the console.
  const { files } = await import('built-console');
  const text = Object.hasOwn(files, name) ? files[name] : undefined;
  if (text === undefined) return { status: 404 };
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const common = {
    ...securityHeaders,
    'Cache-Control': name === 'index.html' ? 'no-cache' : 'public, max-age=31536000, immutable',
    ETag: etag,
    Vary: 'Accept-Encoding',
  };
  if (headers.get('If-None-Match')?.includes(etag)) return { status: 304, headers: common };
  const type = { 'Content-Type': mediaTypes[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream' };
  if (!/\bgzip\b/.test(headers.get('Accept-Encoding') ?? ''))
    return { headers: { ...common, ...type }, body: text };
  const body = compressed.get(name) ?? promisify(gzip)(text);
  compressed.set(name, body);
  return { headers: { ...common, ...type, 'Content-Encoding': 'gzip' }, body: await body };
}
