import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/*
 * `npm run build`: bundles the app into dist/. Modules that only some requests need are bundled separately and loaded
 * on first use, so that a worker starts without parsing megabytes of code that it may never use. `--source-maps` adds
 * the source maps that measuring test coverage needs; they are not deployed.
 */
const { values } = parseArgs({ options: { 'source-maps': { type: 'boolean', default: false } } });

/** Modules loaded on demand, by import specifier. */
const onDemand: Readonly<Record<string, { readonly file: string; readonly contents: string }>> = {
  openai: { file: 'openai.cjs', contents: "module.exports = require('openai');" },
  '@fastify/busboy': { file: 'busboy.cjs', contents: "module.exports = require('@fastify/busboy');" },
  '@azure/identity': { file: 'identity.cjs', contents: "module.exports = require('@azure/identity');" },
  './azureStorage.ts': {
    file: 'storage.cjs',
    contents: "export * from './shared/storage/azureStorage.ts';",
  },
};

const dist = 'dist';

const options: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  // CommonJS, because the worker provides @azure/functions-core only to `require`.
  format: 'cjs',
  external: ['@azure/functions-core'],
  // Compile `import()` to `require`: `import()` would not detect the named exports of a CommonJS file.
  supported: { 'dynamic-import': false },
  minify: true,
  // The log identifies errors by name.
  keepNames: true,
  sourcemap: values['source-maps'],
  logLevel: 'warning',
};

const leaveOut: Plugin = {
  name: 'on-demand',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path, kind }) => {
      const part = kind === 'dynamic-import' ? onDemand[path] : undefined;
      return part && { path: `./${part.file}`, external: true };
    });
  },
};

// Only what a build made: azd builds once more after `npm run package`, whose result lies in this folder too
// (azure-dev, cli/azd/pkg/project/framework_service_node.go, Package).
await mkdir(dist, { recursive: true });
for (const file of await readdir(dist)) if (file.endsWith('.cjs')) await rm(join(dist, file));
await Promise.all([
  build({
    ...options,
    entryPoints: ['functions/index.ts'],
    outfile: join(dist, 'index.cjs'),
    plugins: [leaveOut],
  }),
  ...Object.values(onDemand).map(({ file, contents }) =>
    build({
      ...options,
      stdin: { contents, resolveDir: '.' },
      outfile: join(dist, file),
    }),
  ),
]);
