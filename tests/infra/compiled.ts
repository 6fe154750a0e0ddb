import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from '@jest/globals';
import { copyInfra, findBicep, infra, runBicep } from '../../infra/bicep.ts';

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
const bicep = findBicep();
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
export function snapshot(
  file: string,
  env: Record<string, string> = {},
  change?: (folder: string) => void,
): Snapshot {
  const folder = copyInfra();
  try {
    change?.(folder);
    const path = join(folder, file);
    const args = ['snapshot', path, '--mode', 'overwrite', '--subscription-id', subscription];
    const { complaints } = runBicep(bicep ?? '', args, folder, env);
    if (complaints) throw new Error(complaints);
    const text = readFileSync(path.replace('.bicepparam', '.snapshot.json'), 'utf8');
    const { predictedResources, outputs, diagnostics } = JSON.parse(text);
    if (diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
    return { resources: predictedResources, outputs };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The template that is sent to Azure. */
export function template(): string {
  const { output, complaints } = runBicep(bicep ?? '', ['build', 'main.bicep', '--stdout']);
  if (complaints) throw new Error(complaints);
  return output;
}

/** What `az bicep build-params --stdout` prints for the sample environment. */
export function compiledParameters(env: Record<string, string> = {}): string {
  const { output, complaints } = runBicep(
    bicep ?? '',
    ['build-params', 'main.bicepparam', '--stdout'],
    infra,
    env,
  );
  if (complaints) throw new Error(complaints);
  return output;
}
