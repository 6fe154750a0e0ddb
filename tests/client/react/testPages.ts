import { readFile } from 'node:fs/promises';
import { request as sendRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../../support/browser.ts';
import { projectFolder } from '../../support/process.ts';
import { type ProxyServer, startProxyServer } from '../../support/proxyServer.ts';
import { until } from '../../support/until.ts';
import type { ServiceUnderTest } from '../../support/useService.ts';

export const reactVersions = ['19', '18'] as const;

export type ReactVersion = (typeof reactVersions)[number];

/** A request of the page to the service. */
export interface PageRequest {
  readonly method: string;
  /** Below the project, with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether the page left before the response was complete. */
  isLeft: boolean;
}

/** What happens to the next request that matches. */
export interface Fault {
  readonly method: string;
  /** Of the path below the project, without its query. */
  readonly path: RegExp;
  /**
   * - `cut`: closes the connection after some bytes of the body
   * - `lost`: the service handles the request, and its response gets lost
   * - `held`: the request waits until the test releases it
   */
  readonly kind: 'cut' | 'lost' | 'held';
  /** 1 by default. */
  times?: number;
  readonly bytes?: number;
  readonly until?: Promise<void>;
}

/** Pages that use the service through a proxy, which serves them and can disturb their requests. */
export interface TestPages {
  readonly proxy: ProxyServer;
  readonly requests: PageRequest[];
  /** @returns a function that ends the fault. */
  fault(fault: Fault): () => void;
  /** Opens a page in place of the one that is open. @param tokens the page's tokens; each 401 makes it take the next one. */
  open(react: ReactVersion, tokens?: readonly string[]): Promise<TestPage>;
}

/** A page, with what it may not do: after each test, fails if it wrote to its console. */
export interface TestPage {
  readonly page: Page;
  /** Evaluates an expression in the page; `test` is what the page gives to the tests. */
  run<T = unknown>(expression: string): Promise<T>;
  /** Waits until an expression is true in the page. */
  until(expression: string): Promise<void>;
}

/**
 * Builds pages before all tests, with both versions of React.
 * @param entry the page's source.
 */
export function useTestPages(t: ServiceUnderTest, entry: string): TestPages {
  const bundles = new Map<ReactVersion, Uint8Array>();
  const requests: PageRequest[] = [];
  const faults: Fault[] = [];
  const complaints: string[] = [];
  let browser: Browser;
  let page: Page;
  let proxy: ProxyServer;
  /** What the page that is open reads. */
  let html = '';

  beforeAll(async () => {
    const [started, listening] = await Promise.all([
      startBrowser(),
      startProxyServer(async (request, response) => {
        const url = request.url ?? '/';
        if (url === '/') return void response.setHeader('Content-Type', 'text/html').end(html);
        const bundle = bundles.get(url.slice(1) as ReactVersion);
        if (bundle) return void response.setHeader('Content-Type', 'text/javascript').end(bundle);
        return pass(request, response);
      }),
      ...reactVersions.map(async (version) => bundles.set(version, await bundlePage(entry, version))),
    ]);
    browser = started;
    proxy = listening;
    page = await browser.newPage();
    page.on('console', (message) => {
      // `info` is React's advice; the others are the browser's own, of what a test has spoiled.
      if (message.type() !== 'info' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error.stack)));
  });
  const pass: Parameters<typeof startProxyServer>[0] = async (incoming, response) => {
    const { method = 'GET', url = '', headers } = incoming;
    const path = url.replace(/^\/api\/projects\/[^/]+/, '');
    const logged: PageRequest = { method, path, headers, isLeft: false };
    requests.push(logged);
    response.once('close', () => {
      logged.isLeft = !response.writableFinished;
    });
    const fault = faults.find(
      (each) => each.times !== 0 && each.method === method && each.path.test(path.split('?')[0] ?? ''),
    );
    if (fault) fault.times = (fault.times ?? 1) - 1;
    await fault?.until;
    const forwarded = sendRequest(`${t.url}${url}`, { method, headers });
    response.once('close', () => forwarded.destroy());
    await new Promise<void>((resolve, reject) => {
      forwarded.once('error', reject).once('response', (answered) => {
        answered.once('error', reject);
        if (fault?.kind === 'lost') {
          answered.resume().once('end', () => reject(new Error('lost')));
          return;
        }
        response.writeHead(answered.statusCode ?? 502, answered.headers);
        let left = fault?.kind === 'cut' ? (fault.bytes ?? 0) : Number.POSITIVE_INFINITY;
        answered.on('data', (chunk: Buffer) => {
          // More of what has arrived may follow before the connection closes.
          if (left <= 0) return;
          response.write(chunk.subarray(0, left));
          left -= chunk.length;
          if (left <= 0) reject(new Error('cut'));
        });
        answered.once('end', () => {
          response.end();
          resolve();
        });
      });
      incoming.pipe(forwarded);
    });
  };
  afterEach(async () => {
    await page.goto('about:blank');
    requests.length = 0;
    faults.length = 0;
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await proxy?.close();
  });

  return {
    get proxy() {
      return proxy;
    },
    requests,
    fault(fault) {
      faults.push(fault);
      return () => void faults.splice(faults.indexOf(fault), 1);
    },
    async open(react, tokens) {
      const { projectId } = t;
      const world = {
        baseUrl: '/api',
        projectId,
        tokens: tokens ?? [await t.issuer.sign({ projects: [projectId] })],
      };
      html = toHtml(`globalThis.world = ${JSON.stringify(world)};`, react);
      await page.goto(`http://127.0.0.1:${proxy.port}/`);
      return {
        page,
        run: (expression) => page.evaluate(expression),
        until: (expression) =>
          until(expression, () => page.evaluate(`Boolean(globalThis.test && (${expression}))`)),
      };
    },
  };
}

const toHtml = (code: string, bundle: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title><div id="root"></div>
<script>${code}</script><script src="/${bundle}"></script></html>`;

/** Returns the examples of the guide for React, by the import path of the package's part that each shows. */
export async function readExamples(): Promise<Map<string, string>> {
  const page = await readFile(join(projectFolder, 'docs/client.md'), 'utf8');
  const [section = ''] = page.split(/^## /m).filter((each) => each.startsWith('React\n'));
  const examples = [...section.matchAll(/^```tsx\n(.*?)^```$/gms)].map(([, code = '']) => code);
  return new Map(
    examples.map((code) => [/thread-run-service\/(client\/react[^']*)/.exec(code)?.[1] ?? '', code]),
  );
}

/** Lets pages import `guide:client/react` and the like: the guide's examples. */
const guide: Plugin = {
  name: 'guide',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^guide:/ }, ({ path }) => ({
      path: path.slice('guide:'.length),
      namespace: 'guide',
    }));
    onLoad({ filter: /./, namespace: 'guide' }, async ({ path }) => ({
      contents: (await readExamples()).get(path) ?? '',
      loader: 'tsx',
      resolveDir: join(projectFolder, 'client'),
    }));
  },
};

/** Bundles a page with one version of React, in its development build, which has the warnings. */
async function bundlePage(entry: string, version: ReactVersion): Promise<Uint8Array> {
  const modules = join(projectFolder, version === '18' ? 'tests/clients/node_modules' : 'node_modules');
  const client = join(projectFolder, 'client');
  const options: BuildOptions = {
    entryPoints: [entry],
    bundle: true,
    write: false,
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: {
      react: join(modules, 'react'),
      'react-dom': join(modules, 'react-dom'),
      '@thread-run-service/client/react/assistant-ui': join(client, 'react/assistant-ui.ts'),
      '@thread-run-service/client/react': join(client, 'react/index.ts'),
      '@thread-run-service/client': join(client, 'src/index.ts'),
    },
    plugins: [guide],
    logLevel: 'warning',
  };
  const { outputFiles } = await build(options);
  return outputFiles?.[0]?.contents ?? new Uint8Array();
}
