import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { projectFolder } from '../local/localSettings.ts';

/* `npm run size` (after `build:client`): measures what the client adds to an application, minified and compressed. */

/** Limits of entries of the package, in bytes after gzip. The hook's includes the client, but not React. */
const limits: Readonly<Record<string, number>> = { '.': 6_000, './react': 9_000 };

export interface Size {
  readonly entry: string;
  readonly gzip: number;
  readonly brotli: number;
  readonly limit: number;
}

/** Measures the entries of the built client that have a limit. */
export async function measureSizes(): Promise<Size[]> {
  const folder = join(projectFolder, 'client');
  const { exports, peerDependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const entries = Object.entries<{ default: string }>(exports).filter(([entry]) => entry in limits);
  return Promise.all(
    entries.map(async ([entry, { default: file }]) => {
      const { outputFiles } = await build({
        entryPoints: [join(folder, file)],
        bundle: true,
        minify: true,
        write: false,
        format: 'esm',
        external: Object.keys(peerDependencies),
      });
      const bytes = outputFiles[0]?.contents ?? new Uint8Array();
      return {
        entry,
        gzip: gzipSync(bytes, { level: 9 }).length,
        brotli: brotliCompressSync(bytes).length,
        limit: limits[entry] ?? 0,
      };
    }),
  );
}

if (import.meta.main) {
  const sizes = await measureSizes();
  console.table(sizes);
  if (sizes.some(({ gzip, limit }) => gzip > limit)) process.exitCode = 1;
}
