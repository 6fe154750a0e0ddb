import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { reportCoverage } from './coverage.ts';

/*
 * `npm test`: builds the app and runs Jest with the given arguments; without any, the quick tests only, and says so; with
 * `--all`, all tests. With `--coverage`, measures all processes and worker threads that the tests start, and prints the
 * merged coverage by folder.
 */
const coverageDir = 'dist/coverage';

/** Keeps compiled code, which halves the time that a process takes to start; coverage needs it compiled anew. */
const compileCache = { NODE_COMPILE_CACHE: resolve('node_modules/.cache/compiled') };

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

const args = process.argv.slice(2);
const jestArgs = args.filter((arg) => arg !== '--all' && arg !== '--coverage');
const measured = args.includes('--coverage');
const isQuick = args.length === 0;
const jest = [
  ...['--disable-warning=ExperimentalWarning', '--experimental-vm-modules'],
  ...['node_modules/jest/bin/jest.js', ...jestArgs],
  ...(isQuick ? ['--testPathIgnorePatterns', '\\.slow\\.test\\.ts$'] : []),
];

process.exitCode = await run(['scripts/build.ts', ...(measured ? ['--source-maps'] : [])]);
if (process.exitCode === 0) {
  await rm(coverageDir, { recursive: true, force: true });
  process.exitCode = await run(jest, measured ? { NODE_V8_COVERAGE: `${coverageDir}/raw` } : compileCache);
  if (measured) await reportCoverage(`${coverageDir}/raw`, coverageDir);
  if (isQuick) {
    const slow = globSync('tests/**/*.slow.test.ts', { exclude: ['**/node_modules'] });
    console.log(
      `\nThese were the quick tests. ${slow.length} slow files are left: npm test -- --all runs everything, as npm run check does.`,
    );
  }
}
