import { describe, expect, test } from '@jest/globals';
import { assistantIssues, parseAssistants } from '../../../shared/assistants/assistants.ts';
import type { Assistant } from '../../../shared/model/assistant.ts';

const smallest = { id: 'asst_1', name: 'One', model: 'gpt-5-mini', instructions: 'Help.' };

const fullest: Required<Assistant> & { $schema: string } = {
  $schema: '../../shared/assistants/assistant.schema.json',
  ...smallest,
  tools: [
    { type: 'file_search', vectorStoreIds: ['vs_1', 'vs_2'], maxResults: 10 },
    { type: 'code_interpreter' },
    { type: 'web_search' },
    {
      type: 'function',
      name: 'get_order',
      description: 'Returns an order.',
      parameters: { type: 'object', properties: { orderId: { type: 'string', pattern: '^[A-Z]-' } } },
      strict: true,
    },
    {
      type: 'mcp',
      serverLabel: 'crm',
      serverUrl: 'https://crm.example/mcp',
      allowedTools: ['delete_contact'],
      requireApproval: { always: ['delete_contact'], never: ['find_contact'] },
      authorizationSetting: 'MCP_CRM_TOKEN',
    },
  ],
  temperature: 0.5,
  topP: 1,
  maxOutputTokens: 4096,
  reasoningEffort: 'low',
  responseFormat: {
    ...{ type: 'json_schema', name: 'steps-of_1', description: 'The steps.', strict: true },
    schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      additionalProperties: false,
      required: ['steps', 'next'],
      properties: {
        steps: { type: 'array', items: { $ref: '#/$defs/step' } },
        next: { anyOf: [{ $ref: '#/$defs/step' }, { type: 'null' }] },
      },
      $defs: {
        step: {
          ...{ type: 'object', additionalProperties: false, required: ['text'] },
          properties: { text: { type: 'string', pattern: '^.+$' } },
        },
      },
    },
  },
};

const withSchema = (schema: object, strict = false) => ({
  ...smallest,
  responseFormat: { type: 'json_schema', name: 'x', schema, strict },
});
const open = { type: 'object', properties: { a: { type: 'string' } } };
const withTools = (...tools: object[]) => ({ ...smallest, tools });
const withParameters = (parameters: object) => withTools({ type: 'function', name: 'f', parameters });
const server = { type: 'mcp', serverLabel: 'crm', serverUrl: 'https://crm.example' };
const withServer = (fields: object) => withTools({ ...server, ...fields });

describe('an assistant', () => {
  test.each([
    ['with what is required', smallest],
    ['with everything', fullest],
    [
      'with limits at their ends',
      { ...smallest, temperature: 0, topP: 0.01, maxOutputTokens: 16, tools: [] },
    ],
    ['with limits at their other ends', { ...smallest, temperature: 2, maxOutputTokens: 1_000_000 }],
    ['with replies of text', { ...smallest, responseFormat: { type: 'text' } }],
    ['with replies of JSON', { ...smallest, responseFormat: { type: 'json_object' } }],
    ['with a schema that is not strict', withSchema(open)],
    ['with a function without parameters', withTools({ type: 'function', name: 'f' })],
    [
      'with a schema of another draft',
      withParameters({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' }),
    ],
    [
      'with a local MCP server',
      withServer({ serverUrl: 'http://localhost:9000/mcp', requireApproval: 'never' }),
    ],
    ['with a search without stores', { ...smallest, tools: [{ type: 'file_search' }] }],
  ])('is valid %s', (_name, assistant) => {
    expect(assistantIssues(assistant)).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['null', null, /^the assistant must be object$/],
    ['text', 'asst_1', /^the assistant must be object$/],
    ['a list', [smallest], /^the assistant must be object$/],
    ...['id', 'name', 'model', 'instructions'].flatMap((field): [string, unknown, RegExp][] => [
      [`no ${field}`, { ...smallest, [field]: undefined }, RegExp(`required property '${field}'`)],
      [`an empty ${field}`, { ...smallest, [field]: '' }, RegExp(`^${field} must`)],
      [`a ${field} of null`, { ...smallest, [field]: null }, RegExp(`^${field} must be string$`)],
      [`a ${field} that is a number`, { ...smallest, [field]: 7 }, RegExp(`^${field} must be string$`)],
    ]),
    ['an id of another form', { ...smallest, id: 'assistant' }, /^id must match pattern/],
    ['an id with a newline', { ...smallest, id: 'asst_1\n' }, /^id must match pattern/],
    ['too long an id', { ...smallest, id: `asst_${'x'.repeat(60)}` }, /^id must match pattern/],
    ['too long instructions', { ...smallest, instructions: 'x'.repeat(32_769) }, /^instructions must NOT/],
    ['an unknown field', { ...smallest, temprature: 1 }, /^the assistant has an unknown field "temprature"$/],
    ['a temperature below 0', { ...smallest, temperature: -0.1 }, /^temperature must be >= 0$/],
    ['a temperature above 2', { ...smallest, temperature: 2.1 }, /^temperature must be <= 2$/],
    ['a temperature as text', { ...smallest, temperature: '1' }, /^temperature must be number$/],
    ['a topP of 0', { ...smallest, topP: 0 }, /^topP must be > 0$/],
    ['a topP above 1', { ...smallest, topP: 1.1 }, /^topP must be <= 1$/],
    ['too few maxOutputTokens', { ...smallest, maxOutputTokens: 15 }, /^maxOutputTokens must be >= 16$/],
    ['half a token', { ...smallest, maxOutputTokens: 16.5 }, /^maxOutputTokens must be integer$/],
    ['an unknown effort', { ...smallest, reasoningEffort: 'most' }, /^reasoningEffort must be equal to one/],
    ['an unknown format', { ...smallest, responseFormat: { type: 'xml' } }, /^responseFormat /],
    ['a format as text', { ...smallest, responseFormat: 'json' }, /^responseFormat must be object$/],
    [
      'a format without a name',
      { ...smallest, responseFormat: { type: 'json_schema', schema: open } },
      /^responseFormat must have required property 'name'$/,
    ],
    [
      'a format of another name',
      { ...smallest, responseFormat: { type: 'json_schema', name: 'a b', schema: open } },
      /^responseFormat\.name must match pattern/,
    ],
    ['a schema of a list', withSchema({ type: 'array' }), /^responseFormat\.schema\.type must be equal/],
    [
      'a schema that is none',
      withSchema({ type: 'object', properties: { a: { type: 'text' } } }),
      /^responseFormat\.schema must be a valid JSON Schema$/,
    ],
    [
      'a schema with a reference to nowhere',
      withSchema({ type: 'object', properties: { a: { $ref: '#/$defs/a' } } }),
      /^responseFormat\.schema must be a valid JSON Schema$/,
    ],
    [
      'a strict schema that allows other properties',
      withSchema(open, true),
      /^responseFormat\.schema must have "additionalProperties": false, because it is strict$/,
    ],
    [
      'a strict schema with an optional property',
      withSchema({ ...open, additionalProperties: false }, true),
      /^responseFormat\.schema must require "a", because it is strict$/,
    ],
    ...(
      [
        [{ properties: { a: open }, required: ['a'] }, 'properties\\.a'],
        [{ properties: { a: { type: 'array', items: open } }, required: ['a'] }, 'properties\\.a\\.items'],
        [{ properties: { a: { anyOf: [open] } }, required: ['a'] }, 'properties\\.a\\.anyOf\\.0'],
        [{ properties: {}, $defs: { a: open } }, '\\$defs\\.a'],
      ] as const
    ).map(([part, place]): [string, unknown, RegExp] => [
      `a strict schema that is not at ${place}`,
      withSchema({ type: 'object', additionalProperties: false, ...part }, true),
      RegExp(`^responseFormat\\.schema\\.${place} must require "a"`),
    ]),
    ['tools that are no list', { ...smallest, tools: {} }, /^tools must be array$/],
    ['65 tools', { ...smallest, tools: Array(65).fill({ type: 'web_search' }) }, /^tools must NOT have more/],
    ['a tool without a type', { ...smallest, tools: [{}] }, /^tools\.0 must have required property 'type'$/],
    [
      'a function without a name',
      withTools({ type: 'function' }),
      /^tools\.0 must have required property 'name'/,
    ],
    [
      'a function with a blank',
      withTools({ type: 'function', name: 'get order' }),
      /^tools\.0\.name must match/,
    ],
    [
      'two functions of one name',
      withTools({ type: 'function', name: 'f' }, { type: 'function', name: 'f' }),
      /^tools\.1 has a name that is taken$/,
    ],
    ['parameters of text', withParameters({ type: 'string' }), /^tools\.0\.parameters\.type must be equal/],
    ...[
      { properties: { a: { type: 'strin' } } },
      { properties: [] },
      { required: 'a' },
      { properties: { a: { $ref: '#/nowhere' } } },
      { properties: { a: { $ref: '#nowhere' } } },
      { properties: { a: { $ref: 'https://example.com/schema.json' } } },
      { patternProperties: { '(': {} } },
      { properties: { a: { pattern: '(' } } },
    ].map((part): [string, unknown, RegExp] => [
      `parameters that are no JSON Schema: ${JSON.stringify(part)}`,
      withParameters({ type: 'object', ...part }),
      /^tools\.0\.parameters must be a valid JSON Schema$/,
    ]),
    ['an MCP server without URL', withTools({ type: 'mcp', serverLabel: 'crm' }), /'serverUrl'/],
    [
      'a plain MCP server',
      withServer({ serverUrl: 'http://crm.example' }),
      /^tools\.0\.serverUrl must match/,
    ],
    ['an unknown approval', withServer({ requireApproval: 'sometimes' }), /^tools\.0\.requireApproval must/],
    [
      'a setting in lower case',
      withServer({ authorizationSetting: 'path' }),
      /authorizationSetting must match/,
    ],
    ['two servers of one label', withTools(server, server), /^tools\.1 has a name that is taken$/],
    [
      'a tool with an unknown field',
      { ...smallest, tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }] },
      /^tools\.0 has an unknown field "vector_store_ids"$/,
    ],
    [
      'a store listed twice',
      { ...smallest, tools: [{ type: 'file_search', vectorStoreIds: ['vs_1', 'vs_1'] }] },
      /^tools\.0\.vectorStoreIds must NOT have duplicate items/,
    ],
    [
      'too many results',
      { ...smallest, tools: [{ type: 'web_search' }, { type: 'file_search', maxResults: 51 }] },
      /^tools\.1\.maxResults must be <= 50$/,
    ],
  ])('is not valid with %s, and the issue says where', (_name, value, issue) => {
    expect(assistantIssues(value)).toContainEqual(expect.stringMatching(issue));
  });

  test('is told all its issues at once', () => {
    const issues = assistantIssues({ ...smallest, name: '', topP: 2, colour: 'red', size: 1 });
    expect(issues).toHaveLength(4);
  });
});

describe('a JSON Schema', () => {
  test.each<[string, object]>([
    ['itself', { properties: { a: { $ref: '#' } } }],
    [
      'a name with a slash and a tilde',
      { properties: { a: { $ref: '#/$defs/a~1b~0c%20d' } }, $defs: { 'a/b~c d': {} } },
    ],
    ['an item', { prefixItems: [{}], properties: { a: { $ref: '#/prefixItems/0' } } }],
    ['an anchor', { properties: { a: { $ref: '#b' }, b: { $anchor: 'b' } } }],
    ['a name', { $id: 'https://example.com/a', properties: { a: { $ref: 'https://example.com/a' } } }],
  ])('may refer to %s', (_name, schema) => {
    expect(assistantIssues(withSchema({ type: 'object', ...schema }))).toEqual([]);
  });

  // Compiled, it would take minutes.
  test('of ten thousand properties is checked at once', () => {
    const property = { type: 'string', pattern: '^a+$', anyOf: [{ minLength: 1 }, { const: 'a' }] };
    const properties = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`p${index}`, property]),
    );
    expect(assistantIssues(withSchema({ type: 'object', properties }))).toEqual([]);
  });

  test('nested too deeply to be checked is none', () => {
    let schema: object = {};
    for (let depth = 0; depth < 20_000; depth++) schema = { type: 'object', properties: { a: schema } };
    expect(assistantIssues(withSchema(schema))).toEqual([
      expect.stringMatching(/must be a valid JSON Schema$/),
    ]);
  });
});

describe('the setting ASSISTANTS', () => {
  const parse = (text: string) => {
    const issues: string[] = [];
    return { assistants: parseAssistants(text, issues), issues };
  };

  test('becomes the assistants by id', () => {
    const second = { ...smallest, id: 'asst_2' };
    const { assistants, issues } = parse(JSON.stringify([smallest, second]));
    expect(issues).toEqual([]);
    expect([...assistants]).toEqual([
      ['asst_1', smallest],
      ['asst_2', second],
    ]);
  });

  test.each(['{', 'asst_1', '{}', 'null', '7', '"x"', '[]', JSON.stringify(smallest)])(
    'is no list of assistants as %s',
    (text) => {
      expect(parse(text).issues).toEqual(['ASSISTANTS must be a JSON array of at least one assistant']);
    },
  );

  test('is told the issues of all its assistants, each by its id or its number', () => {
    const text = JSON.stringify([smallest, { ...smallest, id: 'asst_2', topP: 3 }, null, { id: 7 }, []]);
    const { issues } = parse(text);
    expect(issues).toContain('ASSISTANTS, asst_2: topP must be <= 1');
    expect(issues).toContain('ASSISTANTS, number 3: the assistant must be object');
    expect(issues).toContain('ASSISTANTS, number 4: id must be string');
    expect(issues).toContain('ASSISTANTS, number 5: the assistant must be object');
    expect(issues.filter((issue) => issue.includes('asst_1'))).toEqual([]);
  });

  test('has no two assistants of one id', () => {
    const { issues } = parse(JSON.stringify([smallest, smallest]));
    expect(issues).toEqual(['ASSISTANTS, asst_1: has an id that is taken']);
  });
});
