import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { projectFolder } from '../local/localSettings.ts';

/*
 * `npm run build:client`: compiles the package `client/` into its `dist/`. The `exports` of its package.json say what:
 * `./dist/FOLDER/FILE.d.ts` is made of `FOLDER/FILE.ts` or `.tsx`. Not minified: applications do that.
 */
const folder = join(projectFolder, 'client');
const dist = join(folder, 'dist');
const { exports, peerDependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));

await rm(dist, { recursive: true, force: true });
await build({
  absWorkingDir: folder,
  entryPoints: Object.values<{ types: string; default: string }>(exports).map((entry) => ({
    // Without its extension, which esbuild finds.
    in: entry.types.replace('/dist/', '/').replace(/\.d\.ts$/, ''),
    out: entry.default.replace('./dist/', '').replace(/\.js$/, ''),
  })),
  outdir: dist,
  bundle: true,
  // What entries share is in a chunk, so that there is one class of each error.
  splitting: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  jsx: 'automatic',
  external: Object.keys(peerDependencies),
  logLevel: 'warning',
});

const compiler = join(projectFolder, 'node_modules/typescript/bin/tsc');
execFileSync(process.execPath, [compiler, '-p', join(folder, 'tsconfig.build.json')], { stdio: 'inherit' });
// Older compilers and other tools know declarations by the name of their JavaScript only.
for (const file of await readdir(dist, { recursive: true })) {
  if (!file.endsWith('.d.ts')) continue;
  const text = await readFile(join(dist, file), 'utf8');
  await writeFile(
    join(dist, file),
    text.replaceAll(/(from '\.[^']*|import\("\.[^"]*)\.tsx?(?=['"])/g, '$1.js'),
  );
}
