import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

/*
 * Prints JSON Schemas of the objects of the Assistants API and of its parameters, as the `openai` package types them. They
 * are derived here because the compiler's API needs a TypeScript older than the project's.
 */

/** Types by the module of the package that exports them. */
const sources = {
  'resources/beta/assistants': [
    'Assistant',
    'AssistantDeleted',
    'AssistantStreamEvent',
    'AssistantCreateParams',
    'AssistantUpdateParams',
    'AssistantListParams',
  ],
  'resources/beta/threads/threads': [
    'Thread',
    'ThreadDeleted',
    'ThreadCreateParams',
    'ThreadUpdateParams',
    'ThreadCreateAndRunParamsBase',
  ],
  'resources/beta/threads/messages': [
    'Message',
    'MessageDeleted',
    'MessageCreateParams',
    'MessageUpdateParams',
    'MessageListParams',
  ],
  'resources/beta/threads/runs/runs': [
    'Run',
    'RunCreateParamsBase',
    'RunUpdateParams',
    'RunListParams',
    'RunSubmitToolOutputsParamsBase',
  ],
  'resources/beta/threads/runs/steps': ['RunStep', 'StepListParams', 'StepRetrieveParams'],
  'resources/files': ['FileObject', 'FileDeleted', 'FileListParams'],
  'resources/vector-stores/vector-stores': [
    'VectorStore',
    'VectorStoreDeleted',
    'VectorStoreSearchResponse',
    'VectorStoreCreateParams',
    'VectorStoreUpdateParams',
    'VectorStoreListParams',
    'VectorStoreSearchParams',
  ],
  'resources/vector-stores/files': [
    'VectorStoreFile',
    'VectorStoreFileDeleted',
    'FileContentResponse',
    'FileCreateParams',
    'FileUpdateParams',
  ],
  'resources/vector-stores/file-batches': [
    'VectorStoreFileBatch',
    'FileBatchCreateParams',
    'FileBatchListFilesParams',
  ],
  'resources/models': ['Model'],
  'resources/shared': ['ErrorObject'],
} as const;

type Schema = Readonly<Record<string, unknown>>;

const folder = new URL('../../node_modules/openai/', import.meta.url);
const fileOf = (module: string) => fileURLToPath(new URL(`${module}.d.ts`, folder));
const options: ts.CompilerOptions = { strict: true, noEmit: true, lib: ['lib.es5.d.ts'], types: [] };
const host = ts.createCompilerHost(options);
// The types of resources refer to nothing else than each other and the parameters of pages.
host.resolveModuleNameLiterals = (modules, from) =>
  modules.map(({ text }) => {
    const file = fileURLToPath(new URL(text.replace(/\.m?js$/, '.d.ts'), pathToFileURL(from)));
    const isNeeded = /[/\\](resources[/\\]|core[/\\]pagination)/.test(file);
    return { resolvedModule: isNeeded ? { resolvedFileName: file, extension: ts.Extension.Dts } : undefined };
  });
const program = ts.createProgram(Object.keys(sources).map(fileOf), options, host);
const checker = program.getTypeChecker();
const definitions: Record<string, Schema> = {};

/** Names of types that are objects, such as `Run.Usage`; the same object has one name. */
const names = new Map<ts.Type, string>();

function toSchema(type: ts.Type): Schema {
  if (type.flags & ts.TypeFlags.Any || type.flags & ts.TypeFlags.Unknown) return {};
  if (type.flags & ts.TypeFlags.Boolean) return { type: 'boolean' };
  if (type.flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === 'true' };
  if (type.flags & ts.TypeFlags.String) return { type: 'string' };
  if (type.flags & ts.TypeFlags.Number) return { type: 'number' };
  if (type.flags & ts.TypeFlags.Null) return { type: 'null' };
  if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
  if (type.isUnion()) return toUnion(type);
  // `string & {}`, which keeps the known values of a string visible.
  if (type.isIntersection()) return toSchema(type.types[0] as ts.Type);
  if (checker.isArrayType(type)) {
    const [item] = checker.getTypeArguments(type as ts.TypeReference);
    return { type: 'array', items: toSchema(item as ts.Type) };
  }
  if (type.flags & ts.TypeFlags.Object) return toReference(type);
  throw new Error(`no schema for ${checker.typeToString(type)}`);
}

function toUnion(type: ts.UnionType): Schema {
  const isDefined = (member: ts.Type) => !(member.flags & ts.TypeFlags.Undefined);
  const members = type.types.filter(isDefined);
  const literals = members.flatMap((member) => (member.isStringLiteral() ? member.value : []));
  const isBoolean = (member: ts.Type) => Boolean(member.flags & ts.TypeFlags.BooleanLiteral);
  const booleans = members.filter(isBoolean);
  const others = members.filter((member) => !member.isStringLiteral() && !isBoolean(member));
  const objects = others.filter(
    (member) => member.flags & ts.TypeFlags.Object && !checker.isArrayType(member),
  );
  const tag = objects.length > 1 ? tagOf(objects) : undefined;
  const options = [
    ...(literals.length > 0 ? [{ enum: literals }] : []),
    ...(booleans.length === 1 ? [toSchema(booleans[0] as ts.Type)] : []),
    ...(booleans.length === 2 ? [{ type: 'boolean' }] : []),
    ...others.filter((member) => !(tag && objects.includes(member))).map(toSchema),
    ...(tag
      ? [
          {
            type: 'object',
            discriminator: { propertyName: tag },
            required: [tag],
            oneOf: objects.map(toSchema),
          },
        ]
      : []),
  ];
  return options.length === 1 ? (options[0] as Schema) : { anyOf: options };
}

/** Returns the property whose value tells the objects of a union apart. */
function tagOf(objects: readonly ts.Type[]): string | undefined {
  return ['event', 'type'].find((name) => {
    const values = objects.map((object) => {
      const property = object.getProperty(name);
      const type = property && checker.getTypeOfSymbol(property);
      return type?.isStringLiteral() ? type.value : undefined;
    });
    return values.every((value) => value !== undefined) && new Set(values).size === values.length;
  });
}

function toReference(type: ts.Type): Schema {
  const index = checker.getIndexTypeOfType(type, ts.IndexKind.String);
  if (index) return { type: 'object', additionalProperties: toSchema(index) };
  const known = names.get(type);
  if (known !== undefined) return { $ref: `#/$defs/${known}` };
  const name = toName(type);
  names.set(type, name);
  const properties = checker.getPropertiesOfType(type);
  definitions[name] = {
    type: 'object',
    properties: Object.fromEntries(
      properties.map((property) => [property.name, toSchema(checker.getTypeOfSymbol(property))]),
    ),
    required: properties.filter(({ flags }) => !(flags & ts.SymbolFlags.Optional)).map((one) => one.name),
    additionalProperties: false,
  };
  return { $ref: `#/$defs/${name}` };
}

/** Returns a new name: that of the type, with those of its namespaces. */
function toName(type: ts.Type): string {
  const symbol = type.aliasSymbol ?? type.symbol;
  const qualified = checker.getFullyQualifiedName(symbol).replace(/^".*"\./, '');
  const taken = new Set(names.values());
  for (let suffix = 1; ; suffix++) {
    const name = suffix === 1 ? qualified : `${qualified}-${suffix}`;
    if (!taken.has(name)) return name;
  }
}

const schemas: Record<string, Schema> = {};
for (const [module, exported] of Object.entries(sources)) {
  const file = program.getSourceFile(fileOf(module));
  const symbol = file && checker.getSymbolAtLocation(file);
  if (!symbol) throw new Error(`the package has no ${module}`);
  const symbols = checker.getExportsOfModule(symbol);
  for (const name of exported) {
    const found = symbols.find((one) => one.name === name);
    if (!found) throw new Error(`${module} does not export ${name}`);
    schemas[name] = toSchema(checker.getDeclaredTypeOfSymbol(found));
  }
}
console.log(JSON.stringify({ $defs: definitions, schemas }));
