import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/*
 * `npm run build`: bundles the app into dist/. What only some requests need stays in files of its own, read when it is
 * first imported: a worker starts faster without parsing megabytes that it may never use.
 */

const onDemand: Readonly<Record<string, string>> = {
  openai: 'openai.cjs',
  '@azure/identity': 'identity.cjs',
  '@azure/data-tables': 'tables.cjs',
};

const dist = 'dist';

const options: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  // CommonJS, because the worker provides @azure/functions-core through `require` only.
  format: 'cjs',
  external: ['@azure/functions-core'],
  // `require` instead of `import()`, which would not find the names that a CommonJS file exports.
  supported: { 'dynamic-import': false },
  minify: true,
  // Names of errors are what the log tells about a failure.
  keepNames: true,
  logLevel: 'warning',
};

const leaveOut: Plugin = {
  name: 'on-demand',
  setup({ onResolve }) {
    onResolve({ filter: /^[@\w]/ }, ({ path, kind }) => {
      const file = onDemand[path];
      return file && kind === 'dynamic-import' ? { path: `./${file}`, external: true } : undefined;
    });
  },
};

await rm(dist, { recursive: true, force: true });
await Promise.all([
  build({
    ...options,
    entryPoints: ['functions/index.ts'],
    outfile: join(dist, 'index.cjs'),
    plugins: [leaveOut],
  }),
  ...Object.entries(onDemand).map(([name, file]) =>
    build({
      ...options,
      stdin: { contents: `module.exports = require('${name}');`, resolveDir: '.' },
      outfile: join(dist, file),
    }),
  ),
]);
