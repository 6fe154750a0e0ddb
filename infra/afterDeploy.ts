import { assistantsSetting, tokenSettings } from './assistants.ts';
import { required, run, runMain, untilRolesCount } from './commands.ts';

/*
 * `node infra/afterDeploy.ts [projects] [smoke]`: what azd and the pipeline do once the package is there; without an
 * argument both. `node infra/afterDeploy.ts package FILE`: what the pipeline does instead of azd before that. The parts
 * are npm scripts and az; this gives them the deployment's outputs and a token, and repeats them while a role that was
 * just granted may not count yet.
 */

/** What az prints of an upload that the platform could not store, or not yet take (azure-cli, enable_zip_deploy_flex). */
const notYet =
  /InaccessibleStorage|BlobUploadFailed|Forbidden|Status Code: (401|403|409|5\d\d)|ongoing deployment/i;

async function deployPackage(file: string): Promise<void> {
  const app = [
    '--resource-group',
    required('AZURE_RESOURCE_GROUP'),
    '--name',
    required('AZURE_FUNCTION_APP_NAME'),
  ];
  const args = ['functionapp', 'deployment', 'source', 'config-zip', ...app, '--src', file];
  const deployed = await untilRolesCount(async () => {
    const { status, errors } = await run('az', args, { show: true, timeoutMs: 900_000 });
    if (status === 0) return 'done';
    return notYet.test(errors) ? 'again' : 'failed';
  });
  if (!deployed) throw new Error(`${file} could not be deployed`);
}

async function applyProjects(): Promise<void> {
  const ASSISTANTS = assistantsSetting(import.meta.dirname);
  const env = {
    ASSISTANTS,
    // Only the app itself has the tokens; this needs the settings to be there.
    ...Object.fromEntries(tokenSettings(ASSISTANTS).map((name) => [name, 'not needed here'])),
    TABLES_ENDPOINT: required('TABLES_ENDPOINT'),
    QUEUES_ENDPOINT: required('QUEUES_ENDPOINT'),
  };
  const args = ['run', '--silent', 'projects', '--', 'apply', 'infra/projects.json'];
  const applied = await untilRolesCount(async () => {
    const { status, errors } = await run('npm', args, { env, show: true });
    if (status === 0) return 'done';
    // What is wrong with the file or the settings stays wrong.
    return errors.includes('The store could not be used') ? 'again' : 'failed';
  });
  if (!applied) throw new Error('the projects could not be applied');
}

/** A token for the service itself; only Entra ID gives one to whoever is signed in, other issuers need SMOKE_TOKEN. */
async function token(): Promise<string> {
  const given = process.env['SMOKE_TOKEN'];
  if (given) return given;
  const scope = `${required('JWT_AUDIENCE')}/.default`;
  const args = ['account', 'get-access-token', '--scope', scope, '--query', 'accessToken', '--output', 'tsv'];
  const { status, output, errors } = await run('az', args);
  if (status !== 0) {
    console.error(errors.trim());
    throw new Error(
      `no token for ${scope}: see "The API's registration" in docs/deployment.md, or set SMOKE_TOKEN`,
    );
  }
  return output.trim();
}

/** The exit code of `npm run smoke` for what may pass by itself: the engine or the store refuses the service, or it starts. */
const smokeNotYet = 75;

async function smoke(): Promise<void> {
  const project = process.env['SMOKE_PROJECT_ID'];
  if (!project) {
    console.log('Smoke test left out: set SMOKE_PROJECT_ID to a project that you may use.');
    return;
  }
  const env = { SMOKE_TOKEN: await token() };
  const args = [
    'run',
    '--silent',
    'smoke',
    '--',
    '--base-url',
    required('SERVICE_BASE_URL'),
    '--project',
    project,
  ];
  const passed = await untilRolesCount(async () => {
    const { status } = await run('npm', args, { env, show: true, timeoutMs: 300_000 });
    if (status === 0) return 'done';
    return status === smokeNotYet ? 'again' : 'failed';
  });
  if (!passed) throw new Error('the smoke test failed');
}

await runMain(async () => {
  const [part, file] = process.argv.slice(2);
  if (part === 'package') {
    if (!file) throw new Error('Usage: node infra/afterDeploy.ts package FILE');
    return deployPackage(file);
  }
  if (part !== 'smoke') await applyProjects();
  if (part !== 'projects') await smoke();
});
