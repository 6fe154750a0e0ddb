import { describe, expect, test } from '@jest/globals';
import { ConfigError, parseConfig, settingNames } from '../../shared/config.ts';

const assistant = { id: 'asst_1', name: 'One', model: 'gpt-5-mini', instructions: 'Help.' };

const usable = {
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'thread-runs',
  OPENAI_BASE_URL: 'https://engine.example/v1',
  TABLES_ENDPOINT: 'https://account.table.core.windows.net',
  QUEUES_ENDPOINT: 'https://account.queue.core.windows.net',
  ASSISTANTS: JSON.stringify([assistant]),
};

type Settings = Record<string, string | undefined>;

/** Every issue of settings that differ from usable ones. */
function issuesOf(changed: Settings): readonly string[] {
  try {
    parseConfig({ ...usable, ...changed });
  } catch (error) {
    if (error instanceof ConfigError) return error.issues;
    throw error;
  }
  return [];
}

describe('usable settings', () => {
  test('become a configuration with the documented defaults', () => {
    expect(parseConfig(usable)).toEqual({
      jwt: { issuer: 'https://issuer.example', audience: 'thread-runs', jwksUri: undefined },
      engine: {
        baseUrl: 'https://engine.example/v1',
        apiKey: undefined,
        tokenScope: 'https://ai.azure.com/.default',
        toolAuthorizations: new Map(),
      },
      tables: { endpoint: 'https://account.table.core.windows.net' },
      queues: { endpoint: 'https://account.queue.core.windows.net' },
      assistants: new Map([['asst_1', assistant]]),
      runTimeoutSeconds: 600,
      maxToolRounds: 16,
      eventStreamSeconds: 220,
      maxFileBytes: 20 * 1024 * 1024,
    });
  });

  test('are taken over one by one', () => {
    const { TABLES_ENDPOINT, QUEUES_ENDPOINT, ...rest } = usable;
    const config = parseConfig({
      ...rest,
      JWT_JWKS_URI: 'https://issuer.example/keys',
      OPENAI_API_KEY: 'key',
      OPENAI_TOKEN_SCOPE: 'https://scope.example/.default',
      TABLES_CONNECTION_STRING: 'UseDevelopmentStorage=true',
      QUEUES_CONNECTION_STRING: 'UseDevelopmentStorage=true',
      RUN_TIMEOUT_SECONDS: '30',
      MAX_TOOL_ROUNDS: '3',
      EVENT_STREAM_SECONDS: '5',
      MAX_FILE_MB: '1',
    });
    expect(config).toMatchObject({
      jwt: { jwksUri: 'https://issuer.example/keys' },
      engine: { apiKey: 'key', tokenScope: 'https://scope.example/.default' },
      tables: { connectionString: 'UseDevelopmentStorage=true' },
      queues: { connectionString: 'UseDevelopmentStorage=true' },
      runTimeoutSeconds: 30,
      maxToolRounds: 3,
      eventStreamSeconds: 5,
      maxFileBytes: 1024 * 1024,
    });
  });

  test('become a configuration that nothing can change', () => {
    const config = parseConfig(usable);
    const assistants = [...config.assistants.values()];
    for (const part of [config, config.jwt, config.engine, config.tables, config.queues, ...assistants]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(assistants.length).toBeGreaterThan(0);
  });

  test('lose the blanks around them', () => {
    const padded = Object.entries(usable).map(([name, value]) => [name, ` ${value}\n`]);
    expect(parseConfig(Object.fromEntries(padded))).toEqual(parseConfig(usable));
  });

  test.each(['', '  ', '\n'])('may be empty where they are optional: %j counts as absent', (empty) => {
    const optional = ['JWT_JWKS_URI', 'OPENAI_API_KEY', 'OPENAI_TOKEN_SCOPE', 'TABLES_CONNECTION_STRING'];
    const names = [
      ...optional,
      'QUEUES_CONNECTION_STRING',
      'RUN_TIMEOUT_SECONDS',
      'MAX_TOOL_ROUNDS',
      'EVENT_STREAM_SECONDS',
    ];
    const config = parseConfig({ ...usable, ...Object.fromEntries(names.map((name) => [name, empty])) });
    expect(config).toEqual(parseConfig(usable));
  });

  test('may stand among others that are not ours', () => {
    expect(parseConfig({ ...usable, PATH: '/bin', OPENAI_ORG_ID: 'org' })).toEqual(parseConfig(usable));
  });
});

describe.each([
  ['TABLES', 'tables', 'TableEndpoint', 'table'],
  ['QUEUES', 'queues', 'QueueEndpoint', 'queue'],
] as const)('a connection string in %s_CONNECTION_STRING', (prefix, part, endpoint, service) => {
  const name = `${prefix}_CONNECTION_STRING`;
  const settings = (value: string) => ({ ...usable, [`${prefix}_ENDPOINT`]: '', [name]: value });
  const account = 'AccountName=a;AccountKey=canary==';

  test.each([
    'UseDevelopmentStorage=true',
    `DefaultEndpointsProtocol=https;${account};EndpointSuffix=core.windows.net`,
    `DefaultEndpointsProtocol=http;${account};${endpoint}=http://127.0.0.1:10002/devstoreaccount1`,
    `${endpoint}=https://a.${service}.core.windows.net;SharedAccessSignature=sv=2024&sig=canary`,
  ])('may be %j', (value) => {
    expect(parseConfig(settings(value))[part].connectionString).toBe(value);
  });

  test.each([
    ['garbage', 'must name an account'],
    ['AccountName=a', 'must name an account'],
    [`DefaultEndpointsProtocol=http;${account}`, 'must use https'],
    [`DefaultEndpointsProtocol=http;${account};${endpoint}=http://store.example.com/`, 'must use https'],
    [`${account};${endpoint}=nonsense`, 'must be an absolute http(s) URL'],
  ])('cannot be %j', (value, issue) => {
    const issues = issuesOf(settings(value));
    expect(issues).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
    expect(issues[0]).toContain(issue);
    expect(issues[0]).not.toContain('canary');
  });
});

describe('the setting with the token of an MCP server', () => {
  const withSetting = (authorizationSetting: string) => ({
    ...usable,
    ASSISTANTS: JSON.stringify([
      {
        ...assistant,
        tools: [
          { type: 'web_search' },
          { type: 'mcp', serverLabel: 'crm', serverUrl: 'https://crm.example/mcp', authorizationSetting },
        ],
      },
    ]),
  });

  test('is read by the name that the assistant gives', () => {
    const config = parseConfig({ ...withSetting('MCP_CRM_TOKEN'), MCP_CRM_TOKEN: ' token ' });
    expect(config.engine.toolAuthorizations).toEqual(new Map([['MCP_CRM_TOKEN', 'token']]));
  });

  test.each([undefined, '', ' '])('must exist: %j', (value) => {
    const issues = issuesOf({ ...withSetting('MCP_CRM_TOKEN'), MCP_CRM_TOKEN: value });
    expect(issues).toEqual([
      'ASSISTANTS, asst_1: tools.1.authorizationSetting names MCP_CRM_TOKEN, which is missing',
    ]);
  });

  test('cannot be one of the service itself', () => {
    const issues = issuesOf({ ...withSetting('OPENAI_API_KEY'), OPENAI_API_KEY: 'canary' });
    expect(issues).toEqual([
      'ASSISTANTS, asst_1: tools.1.authorizationSetting names OPENAI_API_KEY, which is a setting of the service itself',
    ]);
  });
});

describe('unusable settings', () => {
  test('are all reported at once, each by its name, without any value', () => {
    const values = {
      JWT_ISSUER: 'canary-issuer',
      JWT_AUDIENCE: ' ',
      JWT_JWKS_URI: 'http://canary-keys.example',
      OPENAI_BASE_URL: 'ftp://canary-engine.example',
      OPENAI_API_KEY: 'canary-key',
      OPENAI_TOKEN_SCOPE: 'canary-scope',
      TABLES_ENDPOINT: 'canary-endpoint',
      TABLES_CONNECTION_STRING: 'canary-connection',
      QUEUES_ENDPOINT: 'canary-queues',
      QUEUES_CONNECTION_STRING: 'canary-queue-connection',
      ASSISTANTS: '[{"id":"asst_1","instructions":"canary-instructions","name":7}]',
      RUN_TIMEOUT_SECONDS: 'canary-seconds',
      MAX_TOOL_ROUNDS: 'canary-rounds',
      EVENT_STREAM_SECONDS: 'canary-duration',
      MAX_FILE_MB: 'canary-size',
      CONSOLE: 'canary-console',
    };
    expect(Object.keys(values)).toEqual([...settingNames]);
    const issues = issuesOf(values);
    expect(issues).toEqual([
      'JWT_ISSUER must be an absolute http(s) URL',
      'JWT_AUDIENCE is missing',
      'JWT_JWKS_URI must use https (http only for localhost)',
      'OPENAI_BASE_URL must be an absolute http(s) URL',
      'TABLES_ENDPOINT must be an absolute http(s) URL',
      'TABLES_ENDPOINT and TABLES_CONNECTION_STRING are both set; set one of them',
      'TABLES_CONNECTION_STRING must name an account and its key, or a shared access signature',
      'QUEUES_ENDPOINT must be an absolute http(s) URL',
      'QUEUES_ENDPOINT and QUEUES_CONNECTION_STRING are both set; set one of them',
      'QUEUES_CONNECTION_STRING must name an account and its key, or a shared access signature',
      "ASSISTANTS, asst_1: the assistant must have required property 'model'",
      'ASSISTANTS, asst_1: name must be string',
      'RUN_TIMEOUT_SECONDS must be a whole number from 1 to 86400',
      'MAX_TOOL_ROUNDS must be a whole number from 1 to 100',
      'EVENT_STREAM_SECONDS must be a whole number from 1 to 220',
      'MAX_FILE_MB must be a whole number from 1 to 95',
      'CONSOLE must be true or false',
    ]);
    const { message } = new ConfigError(issues);
    for (const issue of issues) expect(message).toContain(issue);
    expect(message).not.toContain('canary');
  });

  test('are all reported as missing where there are none', () => {
    expect(issuesOf(Object.fromEntries(settingNames.map((name) => [name, undefined])))).toEqual([
      'JWT_ISSUER is missing',
      'JWT_AUDIENCE is missing',
      'OPENAI_BASE_URL is missing',
      'TABLES_ENDPOINT (or TABLES_CONNECTION_STRING) is missing',
      'QUEUES_ENDPOINT (or QUEUES_CONNECTION_STRING) is missing',
      'ASSISTANTS is missing',
    ]);
  });

  test.each(['JWT_ISSUER', 'JWT_JWKS_URI', 'OPENAI_BASE_URL', 'TABLES_ENDPOINT', 'QUEUES_ENDPOINT'])(
    '%s is an https address, or http of this very machine',
    (name) => {
      for (const good of [
        ...['https://host.example', 'https://host.example:8443/path', 'HTTPS://HOST.EXAMPLE'],
        ...['http://localhost:7072', 'http://127.0.0.1', 'http://[::1]:80/v1', 'http://LOCALHOST'],
      ]) {
        expect([good, issuesOf({ [name]: good })]).toEqual([good, []]);
      }
      for (const bad of [
        ...[
          'http://host.example',
          'http://localhost.example',
          'http://127.0.0.1.example',
          'http://127.0.0.2',
        ],
        ...['http://localhost@host.example', 'http://0.0.0.0', 'http://[::2]'],
      ]) {
        const issue = `${name} must use https (http only for localhost)`;
        expect([bad, issuesOf({ [name]: bad })]).toEqual([bad, [issue]]);
      }
      for (const bad of [
        'host.example',
        '/path',
        'ftp://host.example',
        'javascript:x',
        'https://',
        '://',
        '7',
      ]) {
        const issue = `${name} must be an absolute http(s) URL`;
        expect([bad, issuesOf({ [name]: bad })]).toEqual([bad, [issue]]);
      }
    },
  );

  test.each(
    ['TABLES', 'QUEUES'].flatMap((prefix) => {
      const [endpoint, connectionString] = [`${prefix}_ENDPOINT`, `${prefix}_CONNECTION_STRING`];
      const missing = `${endpoint} (or ${connectionString}) is missing`;
      const both = `${endpoint} and ${connectionString} are both set; set one of them`;
      return [
        { issues: [missing], [endpoint]: undefined, [connectionString]: undefined },
        { issues: [missing], [endpoint]: '', [connectionString]: ' ' },
        { issues: [], [endpoint]: 'https://account.example', [connectionString]: '' },
        { issues: [], [endpoint]: ' ', [connectionString]: 'UseDevelopmentStorage=true' },
        {
          issues: [both],
          [endpoint]: 'https://account.example',
          [connectionString]: 'UseDevelopmentStorage=true',
        },
      ];
    }),
  )('name one way to a storage service: %j', ({ issues, ...settings }) => {
    expect(issuesOf(settings as Settings)).toEqual(issues);
  });

  describe.each([
    ['RUN_TIMEOUT_SECONDS', 'runTimeoutSeconds', 86_400],
    ['EVENT_STREAM_SECONDS', 'eventStreamSeconds', 220],
  ] as const)('of %s', (name, property, longest) => {
    test.each(['1', '01', '200', String(longest)])('accept %s', (value) => {
      expect(parseConfig({ ...usable, [name]: value })[property]).toBe(Number(value));
    });

    test.each([
      '0',
      String(longest + 1),
      '-1',
      '1.5',
      '1e2',
      '0x10',
      '10 s',
      'Infinity',
      'NaN',
      '9'.repeat(400),
    ])('refuse %s', (value) => {
      const issue = `${name} must be a whole number from 1 to ${longest}`;
      expect(issuesOf({ [name]: value })).toEqual([issue]);
    });
  });
});
