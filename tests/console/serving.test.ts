import { expect, test } from '@jest/globals';
import { useService } from '../support/useService.ts';

const t = useService({ CONSOLE: 'true' });

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${t.url}/api/${path}`, { headers, redirect: 'manual' });

/** Returns the names of the page's assets. */
const assetsOf = (page: string): string[] =>
  [...page.matchAll(/(?:src|href)="(console\/[^"]+)"/g)].map(([, asset = '']) => asset);

test('the page and its assets are served with a policy that allows nothing but themselves', async () => {
  const page = await get('console');
  const text = await page.text();
  expect(text).not.toMatch(/<script(?! type="module" src=)|<style|\sstyle=|\son\w+=/);
  const assets = assetsOf(text);
  expect(assets).toEqual([
    expect.stringMatching(/^console\/console-\w+\.css$/),
    expect.stringMatching(/^console\/console-\w+\.js$/),
  ]);
  const policy = page.headers.get('Content-Security-Policy') ?? '';
  expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /);
  expect(policy).toMatch(/base-uri 'none'; form-action 'none'; frame-ancestors 'none'/);
  expect(policy).not.toContain('unsafe');
  for (const response of [page, ...(await Promise.all(assets.map((asset) => get(asset))))]) {
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Security-Policy')).toBe(policy);
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(response.headers.get('Referrer-Policy')).toBe('no-referrer');
    expect(response.headers.get('Content-Type')).toMatch(/^text\/(html|css|javascript); charset=utf-8$/);
  }
});

test('browsers ask for the page each time, and keep its compressed assets', async () => {
  const page = await get('console');
  expect(page.headers.get('Cache-Control')).toBe('no-cache');
  const again = await get('console', { 'If-None-Match': page.headers.get('ETag') ?? '' });
  expect([again.status, await again.text()]).toEqual([304, '']);
  for (const asset of assetsOf(await page.text())) {
    const response = await get(asset, { 'Accept-Encoding': 'gzip' });
    expect(response.headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable');
    expect([response.headers.get('Content-Encoding'), response.headers.get('Vary')]).toEqual([
      'gzip',
      'Accept-Encoding',
    ]);
    const plain = await get(asset, { 'Accept-Encoding': 'identity' });
    expect(plain.headers.get('Content-Encoding')).toBeNull();
    // The page's own text, after fetch has uncompressed it.
    expect(await plain.text()).toBe(await response.text());
  }
});

test('a slash at its end leads to the page, and unknown names are unknown routes', async () => {
  const slash = await get('console/');
  expect([
    slash.status,
    new URL(slash.headers.get('Location') ?? '', `${t.url}/api/console/`).pathname,
  ]).toEqual([308, '/api/console']);
  for (const name of ['index.htm', 'constructor', '__proto__', '..%2findex.html', '%2e%2e%2findex.cjs']) {
    const response = await get(`console/${name}`);
    expect([name, response.status, await response.text()]).toEqual([name, 404, '']);
  }
});

test.each(['false', ''])('with CONSOLE=%j there is no such route', async (setting) => {
  await t.stop();
  await t.restart({ CONSOLE: setting });
  const unknown = await get('no-such-route');
  for (const path of ['console', 'console/', 'console/index.html']) {
    const response = await get(path);
    expect([path, response.status, await response.text()]).toEqual([path, 404, '']);
    expect(Object.keys(Object.fromEntries(response.headers)).sort()).toEqual(
      Object.keys(Object.fromEntries(unknown.headers)).sort(),
    );
  }
});
