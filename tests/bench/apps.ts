import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { projectFolder } from '../support/process.ts';
import type { Ground } from './world.ts';

/**
 * Copies the apps to measure to folders below `folder`: the service from dist, so that a later build has no effect, and
 * the constant function with and without streaming.
 * @throws {Error} when the service has not been built.
 */
export async function prepareApps(folder: string): Promise<Ground['apps']> {
  const names = ['service', 'streamed', 'classic'] as const;
  const [service, streamed, classic] = names.map((name) => join(folder, name)) as [string, string, string];
  for (const app of [service, streamed, classic]) {
    await mkdir(join(app, 'dist'), { recursive: true });
    await cp(join(projectFolder, 'host.json'), join(app, 'host.json'));
    await writeFile(join(app, 'package.json'), JSON.stringify({ main: 'dist/index.cjs' }));
  }
  const dist = await readdir(join(projectFolder, 'dist')).catch(() => []);
  const built = dist.filter((file) => file.endsWith('.cjs'));
  if (!built.includes('index.cjs')) throw new Error('there is no built app; run "npm run build" first');
  for (const file of built) await cp(join(projectFolder, 'dist', file), join(service, 'dist', file));
  await Promise.all([bundle(streamed, true), bundle(classic, false)]);
  return { service, streamed, classic };
}

/** Bundles an app with the options of scripts/build.ts that affect size and speed. */
const bundle = (folder: string, stream: boolean) =>
  build({
    entryPoints: [fileURLToPath(new URL('./constantApp.ts', import.meta.url))],
    outfile: join(folder, 'dist/index.cjs'),
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    external: ['@azure/functions-core'],
    minify: true,
    keepNames: true,
    define: { ENABLE_HTTP_STREAM: String(stream) },
    logLevel: 'warning',
  });

/** Returns the size of a built app in bytes: in total, and of the code loaded at start. */
export async function sizeOf(app: string): Promise<{ all: number; entry: number }> {
  const dist = join(app, 'dist');
  const sizes = await Promise.all(
    (await readdir(dist)).map(async (file) => (await stat(join(dist, file))).size),
  );
  const entry = (await readFile(join(dist, 'index.cjs'))).length;
  return { all: sizes.reduce((sum, size) => sum + size, 0), entry };
}
