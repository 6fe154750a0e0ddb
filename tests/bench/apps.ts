import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { projectFolder } from '../support/process.ts';
import type { Ground } from './world.ts';

/**
 * Puts the apps to be measured into folders of their own below `folder`: the service as it stands in dist, so that a
 * build in the meantime changes nothing, and the constant function with and without streaming.
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

/** With the options of scripts/build.ts that matter for size and speed. */
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

/** Bytes of an app's built output: all of it, and what is loaded at start. */
export async function sizeOf(app: string): Promise<{ all: number; entry: number }> {
  const dist = join(app, 'dist');
  const sizes = await Promise.all(
    (await readdir(dist)).map(async (file) => (await stat(join(dist, file))).size),
  );
  const entry = (await readFile(join(dist, 'index.cjs'))).length;
  return { all: sizes.reduce((sum, size) => sum + size, 0), entry };
}
