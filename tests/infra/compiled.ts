import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, test } from '@jest/globals';
import { copyInfra, findBicep, infra } from '../../infra/bicep.ts';
import { createCompiler, type Diagnostic } from './compiler.ts';

/** A resource as the compiler predicts it; what only Azure knows stays an expression in square brackets. */
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface Snapshot {
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

const subscription = '00000000-0000-0000-0000-000000000001';
const parameterFile = 'main.bicepparam';
const bicep = findBicep();
const compiler = createCompiler(bicep ?? '');
afterAll(() => compiler.close());

const reason = 'no Bicep compiler: install bicep, az bicep or .NET, or name one in the BICEP variable';

/** `describe` when there is a compiler; else it skips and says so, or fails where `CI` is set. */
export const describeCompiled = (title: string, body: () => void) => {
  if (bicep) return describe(title, body);
  if (process.env['CI']) {
    return describe(title, () => {
      test('has a compiler', () => {
        throw new Error(reason);
      });
    });
  }
  process.stderr.write(`Infrastructure tests did not run (${title}): ${reason}\n`);
  return describe.skip(title, body);
};

/** What a deployment with a parameter file would create, worked out by the compiler without the network. */
export async function snapshot(
  env: Record<string, string> = {},
  change?: (folder: string) => void,
): Promise<Snapshot> {
  const folder = copyInfra();
  try {
    change?.(folder);
    const path = join(folder, parameterFile);
    setEnvironment(path, env);
    await compileParameters(path);
    const metadata = { subscriptionId: subscription };
    const found = await compiler.call<{ snapshot: string }>('getSnapshot', {
      path,
      metadata,
      externalInputs: [],
    });
    const { predictedResources, outputs, diagnostics } = JSON.parse(found.snapshot);
    if (diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
    return { resources: predictedResources, outputs };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The template that is sent to Azure. */
export async function template(): Promise<string> {
  const { contents } = await compile<{ contents: string }>('compile', { path: join(infra, 'main.bicep') });
  return contents;
}

/** What `az bicep build-params --stdout` prints for the sample environment. */
export async function compiledParameters(): Promise<string> {
  const { parameters, template } = await compileParameters(join(infra, parameterFile));
  return JSON.stringify({ parametersJson: parameters, templateJson: template });
}

const compileParameters = (path: string) =>
  compile<{ parameters: string; template: string }>('compileParams', { path, parameterOverrides: {} });

/** Compiles a file. @throws {Error} with everything that the compiler found, warnings too. */
async function compile<T>(method: string, params: object): Promise<T> {
  const result = await compiler.call<T & { success: boolean; diagnostics: Diagnostic[] }>(method, params);
  const found = result.diagnostics.map(
    ({ source, level, code, message }) => `${source}: ${level} ${code}: ${message}`,
  );
  if (found.length > 0 || !result.success) throw new Error(found.join('\n'));
  return result;
}

/**
 * Sets environment variables for a parameter file. The compiler has one environment for all compilations, so their
 * values are written into the file.
 */
function setEnvironment(path: string, env: Record<string, string>): void {
  let text = readFileSync(path, 'utf8');
  for (const [name, value] of Object.entries(env)) {
    const reading = new RegExp(`readEnvironmentVariable\\('${name}'(, '[^']*')?\\)`, 'g');
    if (!reading.test(text)) throw new Error(`${path} does not read ${name}`);
    const literal = `'${value.replaceAll(/['\\]|\$(?={)/g, '\\$&')}'`;
    text = text.replaceAll(reading, () => literal);
  }
  writeFileSync(path, text);
}
