import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This folder. */
export const infra = import.meta.dirname;
const executable = process.platform === 'win32' ? 'bicep.exe' : 'bicep';

/** What the required parameters are given where nothing is deployed. */
export const sampleEnvironment = {
  AZURE_ENV_NAME: 'sample',
  AZURE_LOCATION: 'swedencentral',
  JWT_ISSUER: 'https://issuer.example.com/',
  JWT_AUDIENCE: 'api://threads',
};

/**
 * Path of a Bicep compiler: the `BICEP` variable, `bicep` on the PATH, the one `az bicep` has installed, or else the
 * pinned package restored by `dotnet` into `.local/`. Undefined when there is none and no `dotnet` either.
 */
export function findBicep(): string | undefined {
  if (process.env['BICEP']) return process.env['BICEP'];
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const installed = [...folders, join(process.env['AZURE_CONFIG_DIR'] ?? join(homedir(), '.azure'), 'bin')]
    .map((folder) => join(folder, executable))
    .find((path) => existsSync(path));
  return installed ?? restoreBicep();
}

function restoreBicep(): string | undefined {
  const project = join(infra, 'bicep.csproj');
  const version = /Version="\[([\d.]+)\]"/.exec(readFileSync(project, 'utf8'))?.[1] ?? '';
  const system = { win32: 'win', darwin: 'osx' }[process.platform as string] ?? 'linux';
  const platform = `${system}-${process.arch}`;
  const home = join(infra, '../.local/bicep', `azure.bicep.commandline.${platform}`, version, 'tools');
  const path = join(home, executable);
  if (existsSync(path)) return path;
  const { status } = spawnSync('dotnet', ['restore', project, `-p:BicepPlatform=${platform}`, '-v:quiet'], {
    encoding: 'utf8',
  });
  if (status !== 0 || !existsSync(path)) return undefined;
  chmodSync(path, 0o755);
  return path;
}

/** Runs the compiler; `output` is its standard output, `complaints` everything it found fault with, warnings too. */
export function runBicep(bicep: string, args: readonly string[], cwd = infra, env = {}) {
  const { status, stdout, stderr } = spawnSync(bicep, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...sampleEnvironment, ...env },
  });
  const complaints = stderr
    .split('\n')
    .filter((line) => /: (Error|Warning) /.test(line))
    .join('\n');
  if (status !== 0 && complaints === '')
    return { output: stdout, complaints: stderr || `bicep ended with ${status}` };
  return { output: stdout, complaints };
}

/** A copy of this folder to compile in: the compiler writes next to what it reads. The caller removes it. */
export function copyInfra(): string {
  const copy = mkdtempSync(join(tmpdir(), 'infra-'));
  cpSync(infra, copy, { recursive: true });
  return copy;
}

/** Lints, builds every parameter file and compares the formatting; returns what is wrong, nothing when all is well. */
function check(bicep: string): string[] {
  const copy = copyInfra();
  try {
    const patterns = ['./**/*.bicep', './**/*.bicepparam'];
    const faults = [
      runBicep(bicep, ['lint', '--pattern', './**/*.bicep']).complaints,
      runBicep(bicep, ['build', 'main.bicep', '--stdout']).complaints,
      runBicep(bicep, ['build-params', 'main.bicepparam', '--stdout'], copy).complaints,
      ...patterns.map((pattern) => runBicep(bicep, ['format', '--pattern', pattern], copy).complaints),
    ];
    const unformatted = globSync(patterns, { cwd: infra })
      .filter((path) => readFileSync(join(infra, path), 'utf8') !== readFileSync(join(copy, path), 'utf8'))
      .map((path) => `${path} is not formatted: run "node infra/bicep.ts format ${path}"`);
    return [...faults, ...unformatted].filter(Boolean);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function main(args: string[]): number {
  const bicep = findBicep();
  if (!bicep) {
    console.error('No Bicep compiler: install bicep, az bicep or .NET, or name one in the BICEP variable.');
    return 1;
  }
  if (args[0] !== 'check') return spawnSync(bicep, args, { cwd: infra, stdio: 'inherit' }).status ?? 1;
  const faults = check(bicep);
  console.log(runBicep(bicep, ['--version']).output.trim());
  if (faults.length > 0) console.error(faults.join('\n'));
  else console.log('infra: lint, parameters and formatting are clean');
  return faults.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
