import { spawnSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { assistantsSetting } from './assistants.ts';

/*
 * `node infra/afterDeploy.ts [projects] [smoke]`: what azd and the pipeline do once the package runs. Both parts are
 * npm scripts; this gives them the settings of the environment (the deployment's outputs) and a token.
 */

/** A role just granted takes up to ten minutes to count. */
const attempts = 20;
const pauseMs = 30_000;
const windows = process.platform === 'win32';

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}, output = false) {
  const stdout = output ? 'pipe' : 'inherit';
  const options = { env: { ...process.env, ...env }, encoding: 'utf8', shell: windows } as const;
  return spawnSync(command, args, { ...options, stdio: ['ignore', stdout, 'inherit'] });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run this after provisioning, with the deployment's outputs`);
  return value;
}

async function applyProjects(): Promise<void> {
  const env = {
    ASSISTANTS: assistantsSetting(import.meta.dirname),
    TABLES_ENDPOINT: required('TABLES_ENDPOINT'),
    QUEUES_ENDPOINT: required('QUEUES_ENDPOINT'),
  };
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    if (run('npm', ['run', '--silent', 'projects', '--', 'apply', 'infra/projects.json'], env).status === 0)
      return;
    if (attempt < attempts) await setTimeout(pauseMs);
  }
  throw new Error('the projects could not be applied');
}

/** A token for the service itself; only Entra ID gives one to whoever is signed in, other issuers need SMOKE_TOKEN. */
function token(): string {
  const given = process.env['SMOKE_TOKEN'];
  if (given) return given;
  const scope = `${required('JWT_AUDIENCE')}/.default`;
  const args = ['account', 'get-access-token', '--scope', scope, '--query', 'accessToken', '--output', 'tsv'];
  const { status, stdout } = run('az', args, {}, true);
  if (status !== 0) throw new Error(`no token for ${scope}: sign in with az, or set SMOKE_TOKEN`);
  return stdout.trim();
}

function smoke(): void {
  const project = process.env['SMOKE_PROJECT_ID'];
  if (!project) {
    console.log('Smoke test left out: set SMOKE_PROJECT_ID to a project that you may use.');
    return;
  }
  const args = ['--base-url', required('SERVICE_BASE_URL'), '--token', token(), '--project', project];
  if (run('npm', ['run', '--silent', 'smoke', '--', ...args]).status !== 0)
    throw new Error('the smoke test failed');
}

const wanted = process.argv.slice(2);
try {
  if (wanted.length === 0 || wanted.includes('projects')) await applyProjects();
  if (wanted.length === 0 || wanted.includes('smoke')) smoke();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
