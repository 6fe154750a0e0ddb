import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './process.ts';

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** JSON Schemas of what the `openai` package types, by the names of the types. */
export interface WireSchemas {
  readonly $defs: Readonly<
    Record<string, Schema & { readonly properties: Readonly<Record<string, Schema>> }>
  >;
  readonly schemas: Readonly<Record<string, Schema>>;
}

/** Derives the schemas from the installed package, once for each version. */
export function loadWireSchemas(): WireSchemas {
  const script = join(projectFolder, 'tests/clients/wireSchemas.ts');
  const hash = createHash('sha256')
    .update(readFileSync(script))
    .update(readFileSync(join(projectFolder, 'node_modules/openai/package.json')))
    .digest('hex');
  const folder = join(projectFolder, 'node_modules/.cache/wire-schemas');
  const file = join(folder, `${hash}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    const text = execFileSync(process.execPath, [script], { encoding: 'utf8', maxBuffer: 2 ** 24 });
    mkdirSync(folder, { recursive: true });
    // Several test files may do this at once.
    writeFileSync(`${file}.${process.pid}`, text);
    renameSync(`${file}.${process.pid}`, file);
    return JSON.parse(text);
  }
}

/** Returns the paths of all parameters of a type, such as `tools[].function.name`. */
export function pathsOf(type: string): string[] {
  const { $defs, schemas } = loadWireSchemas();
  const found = new Set<string>();
  const visit = (schema: Schema, prefix: string): void => {
    const {
      $ref,
      items,
      anyOf = [],
      oneOf = [],
    } = schema as {
      $ref?: string;
      items?: Schema;
      anyOf?: Schema[];
      oneOf?: Schema[];
    };
    if (items) visit(items, `${prefix}[]`);
    for (const option of [...anyOf, ...oneOf]) visit(option, prefix);
    const { properties = {} } = ($ref ? $defs[$ref.replace('#/$defs/', '')] : undefined) ?? {};
    for (const [name, property] of Object.entries(properties)) {
      const path = prefix ? `${prefix}.${name}` : name;
      found.add(path);
      visit(property, path);
    }
  };
  visit(schemas[type] ?? {}, '');
  // What the package writes into the path of the request.
  return [...found].filter((path) => path !== 'thread_id' && path !== 'vector_store_id');
}
