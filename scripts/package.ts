import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFolder } from '../local/localSettings.ts';

/*
 * `npm run package` (after a build): copies the deployed files into dist/package/: the bundle, host.json and a minimal
 * package.json. Dependencies are part of the bundle.
 */

/** Maximum size of the package, in bytes. Detects accidental additions, which would slow a worker's start. */
const limitBytes = 4_000_000;

const target = join(projectFolder, 'dist/package');
await rm(target, { recursive: true, force: true });
await mkdir(join(target, 'dist'), { recursive: true });
for (const file of await readdir(join(projectFolder, 'dist'))) {
  if (file.endsWith('.cjs')) await cp(join(projectFolder, 'dist', file), join(target, 'dist', file));
}
await cp(join(projectFolder, 'host.json'), join(target, 'host.json'));
const { name, version, main, engines } = JSON.parse(
  await readFile(join(projectFolder, 'package.json'), 'utf8'),
);
await writeFile(
  join(target, 'package.json'),
  JSON.stringify({ name, version, main, engines, private: true }, null, 2),
);

let total = 0;
for (const file of await readdir(target, { recursive: true })) {
  const info = await stat(join(target, file));
  if (info.isDirectory()) continue;
  total += info.size;
  console.log(`${String(info.size).padStart(9)}  ${file}`);
}
console.log(`${String(total).padStart(9)}  total (limit ${limitBytes})`);
if (total > limitBytes) {
  console.error('The package is too large.');
  process.exitCode = 1;
}
