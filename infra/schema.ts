/*
 * The part of JSON Schema that this repository's schemas use, without a dependency: azd runs the hook that checks the
 * assistants before it installs any. The service checks them again with ajv; a test holds the two together.
 */

export interface Schema {
  readonly [keyword: string]: unknown;
}

const annotations = new Set(['$schema', '$id', '$defs', 'title', 'description', 'discriminator', 'default']);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function hasType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (value === null || Array.isArray(value)) return type === (value === null ? 'null' : 'array');
  return typeof value === type;
}

const distinct = (items: readonly unknown[]) => new Set(items.map((item) => JSON.stringify(item))).size;

type Holds = (value: never, argument: never) => boolean;

/** Each keyword speaks of values of one type and lets every other pass, as the standard has it. */
const onText = (holds: (length: number, argument: number) => boolean) => (value: unknown, argument: number) =>
  typeof value !== 'string' || holds([...value].length, argument);
const onNumber =
  (holds: (value: number, argument: number) => boolean) => (value: unknown, argument: number) =>
    typeof value !== 'number' || holds(value, argument);
const onList =
  (holds: (items: readonly unknown[], argument: number) => boolean) => (value: unknown, argument: number) =>
    !Array.isArray(value) || holds(value, argument);

const assertions: Readonly<Record<string, readonly [Holds, string]>> = {
  type: [
    (value: unknown, types: string | readonly string[]) =>
      [types].flat().some((type) => hasType(value, type)),
    'must be of type',
  ],
  const: [(value: unknown, constant: unknown) => value === constant, 'must be'],
  enum: [(value: unknown, values: readonly unknown[]) => values.includes(value), 'must be one of'],
  pattern: [
    (value: unknown, pattern: string) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
    'must match',
  ],
  minLength: [onText((length, least) => length >= least), 'in characters must be at least'],
  maxLength: [onText((length, most) => length <= most), 'in characters must be at most'],
  minimum: [onNumber((value, least) => value >= least), 'must be at least'],
  maximum: [onNumber((value, most) => value <= most), 'must be at most'],
  exclusiveMinimum: [onNumber((value, bound) => value > bound), 'must be more than'],
  minItems: [onList((items, least) => items.length >= least), 'in items must be at least'],
  maxItems: [onList((items, most) => items.length <= most), 'in items must be at most'],
  uniqueItems: [onList((items) => distinct(items) === items.length), 'has an item twice; unique items are'],
};

/**
 * Returns what is wrong with a value, each fault with its place; empty when nothing is.
 * @throws {Error} for a keyword that is not known here, rather than overlooking it.
 */
export function schemaFaults(value: unknown, schema: Schema, root = schema, place = ''): readonly string[] {
  const at = (key: string | number, child: unknown, inner: unknown) =>
    schemaFaults(child, inner as Schema, root, place === '' ? `${key}` : `${place}.${key}`);
  const say = (text: string) => (place === '' ? text : `${place} ${text}`);
  const fitting = (schemas: unknown) =>
    (schemas as Schema[]).filter((inner) => schemaFaults(value, inner, root, place).length === 0).length;

  return Object.entries(schema).flatMap(([keyword, argument]): readonly string[] => {
    const assertion = assertions[keyword];
    if (assertion) {
      const [holds, text] = assertion;
      return holds(value as never, argument as never) ? [] : [say(`${text} ${JSON.stringify(argument)}`)];
    }
    switch (keyword) {
      case 'required':
        if (!isObject(value)) return [];
        return (argument as string[])
          .filter((key) => !Object.hasOwn(value, key))
          .map((key) => say(`must have the field "${key}"`));
      case 'properties':
        if (!isObject(value)) return [];
        return Object.entries(argument as Schema).flatMap(([key, inner]) =>
          Object.hasOwn(value, key) ? at(key, value[key], inner) : [],
        );
      case 'additionalProperties':
        if (!isObject(value) || argument === true) return [];
        return Object.keys(value)
          .filter((key) => !Object.hasOwn(schema['properties'] ?? {}, key))
          .flatMap((key) =>
            argument === false ? [say(`has an unknown field "${key}"`)] : at(key, value[key], argument),
          );
      case 'items':
        return Array.isArray(value) ? value.flatMap((item, index) => at(index, item, argument)) : [];
      case 'anyOf':
        return fitting(argument) > 0 ? [] : [say('is of no known kind')];
      case 'oneOf':
        return fitting(argument) === 1 ? [] : [say('is of no known kind')];
      case '$ref': {
        const keys = String(argument).split('/').slice(1);
        const target = keys.reduce<unknown>((node, key) => (node as Schema)[key], root);
        return schemaFaults(value, target as Schema, root, place);
      }
      default:
        if (annotations.has(keyword)) return [];
        throw new Error(`infra/schema.ts does not know the keyword "${keyword}"`);
    }
  });
}
