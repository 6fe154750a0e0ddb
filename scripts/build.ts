import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/*
 * `npm run build`: bundles the app into dist/. Modules that only some requests need are bundled separately and loaded
 * on first use, so that a worker starts without parsing megabytes of code that it may never use. `--source-maps` adds
 * the source maps that measuring test coverage needs; they are not deployed.
 */
const { values } = parseArgs({ options: { 'source-maps': { type: 'boolean', default: false } } });

/** Modules loaded on demand, by import specifier. */
const onDemand: Readonly<
  Record<string, { readonly file: string; readonly contents: string | Promise<string> }>
> = {
  openai: { file: 'openai.cjs', contents: "module.exports = require('openai');" },
  '@fastify/busboy': { file: 'busboy.cjs', contents: "module.exports = require('@fastify/busboy');" },
  '@azure/identity': { file: 'identity.cjs', contents: "module.exports = require('@azure/identity');" },
  'built-console': { file: 'console.cjs', contents: bundleConsole() },
  './azureStorage.ts': {
    file: 'storage.cjs',
    contents: "export * from './shared/storage/azureStorage.ts';",
  },
};

/** The room of the Assistants API, loaded on demand as well. It shares the modules of the other rooms with the app. */
const face = { specifier: '../shared/openai/face.ts', folder: 'shared/openai', file: 'assistantsApi.cjs' };

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
  // External: a process would copy a map that the bundle names into its coverage.
  sourcemap: values['source-maps'] ? 'external' : false,
  // What is left out has no place in a source map, and would count as run.
  treeShaking: !values['source-maps'],
  logLevel: 'warning',
};

const leaveOut: Plugin = {
  name: 'on-demand',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path, kind }) => {
      if (kind !== 'dynamic-import') return undefined;
      const file = path === face.specifier ? face.file : onDemand[path]?.file;
      return file === undefined ? undefined : { path: `./${file}`, external: true };
    });
  },
};

/**
 * Bundles the console, and returns a module with its files by name. One module instead of a folder needs no path at run
 * time, and is parsed only when the console is opened.
 */
async function bundleConsole(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['console/src/main.tsx'],
    outdir: 'console',
    entryNames: 'console-[hash]',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
    write: false,
  });
  const built = outputFiles.map(({ path, text }) => [basename(path), text] as const);
  const named = (extension: string) => built.find(([name]) => name.endsWith(extension))?.[0] ?? '';
  const page = (await readFile('console/index.html', 'utf8'))
    .replace('src/main.tsx', `console/${named('.js')}`)
    .replace('src/styles.css', `console/${named('.css')}`);
  const files = Object.fromEntries([...built, ['index.html', page]]);
  return `module.exports = { files: ${JSON.stringify(files)} };`;
}

/** Modules of other rooms that the face imports, by their path in the project. */
const shared = new Set<string>();

/**
 * Takes the modules of other rooms from the app's bundle. A second copy would have its own state, and its own classes,
 * which `instanceof` does not recognize.
 */
const shareModules: Plugin = {
  name: 'shared',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\.?\//, namespace: 'file' }, ({ path, resolveDir }) => {
      const file = relative('.', join(resolveDir, path));
      if (file.startsWith(`${face.folder}/`)) return undefined;
      shared.add(file);
      return { path: file, namespace: 'shared' };
    });
    onLoad({ filter: /./, namespace: 'shared' }, ({ path }) => ({
      contents: `module.exports = require('./index.cjs').shared[${JSON.stringify(path)}];`,
    }));
    onResolve({ filter: /^\.\/index\.cjs$/, namespace: 'shared' }, ({ path }) => ({ path, external: true }));
  },
};

/** Returns the app's entry point, which also exports what the face shares. */
const toEntry = (modules: readonly string[]): string =>
  [
    "import './functions/index.ts';",
    ...modules.map((file, index) => `import * as module${index} from ${JSON.stringify(`./${file}`)};`),
    `export const shared = {${modules.map((file, index) => `${JSON.stringify(file)}: module${index}`).join()}};`,
  ].join('\n');

// Only what a build made: azd builds once more after `npm run package`, whose result lies in this folder too
// (azure-dev, cli/azd/pkg/project/framework_service_node.go, Package).
await mkdir(dist, { recursive: true });
for (const file of await readdir(dist)) if (file.endsWith('.cjs')) await rm(join(dist, file));
await build({
  ...options,
  entryPoints: [join(face.folder, 'face.ts')],
  outfile: join(dist, face.file),
  plugins: [shareModules],
});
await Promise.all([
  build({
    ...options,
    stdin: { contents: toEntry([...shared].sort()), resolveDir: '.', sourcefile: 'app.ts', loader: 'ts' },
    outfile: join(dist, 'index.cjs'),
    plugins: [leaveOut],
  }),
  ...Object.values(onDemand).map(async ({ file, contents }) =>
    build({
      ...options,
      stdin: { contents: await contents, resolveDir: '.' },
      outfile: join(dist, file),
    }),
  ),
]);
