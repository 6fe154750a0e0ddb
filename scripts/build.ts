import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/*
 * `npm run build`: bundles the app into dist/. What only some requests need stays in files of its own, read when it is
 * first imported: a worker starts faster without parsing megabytes that it may never use. `--source-maps` lets the
 * measurement of test coverage find the sources; they are not deployed.
 */
const { values } = parseArgs({ options: { 'source-maps': { type: 'boolean', default: false } } });

/** Each by the name that it is imported by, with its file and what goes into it. */
const onDemand: Readonly<Record<string, { readonly file: string; readonly contents: string }>> = {
  openai: { file: 'openai.cjs', contents: "module.exports = require('openai');" },
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
  // CommonJS, because the worker provides @azure/functions-core through `require` only.
  format: 'cjs',
  external: ['@azure/functions-core'],
  // `require` instead of `import()`, which would not find the names that a CommonJS file exports.
  supported: { 'dynamic-import': false },
  minify: true,
  // Names of errors are what the log tells about a failure.
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
