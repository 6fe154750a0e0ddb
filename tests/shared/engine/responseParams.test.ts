import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toResponseParams } from '../../../shared/engine/responseParams.ts';
import type { Assistant } from '../../../shared/model/assistant.ts';
import type { Attachment } from '../../../shared/model/file.ts';
import type { Project } from '../../../shared/model/project.ts';
import type { Run, RunInput } from '../../../shared/model/run.ts';

const assistant: Assistant = { id: 'asst_1', name: 'One', model: 'gpt-5-mini', instructions: 'Help.' };
const project: Project = { projectId: 'p', name: 'P', assistantId: 'asst_1', members: [], groups: [] };
const input: RunInput = { message: 'Hello', instructions: null };

interface Parts {
  readonly run?: Partial<Run>;
  readonly assistant?: Partial<Assistant>;
  readonly project?: Partial<Project>;
  readonly input?: Partial<RunInput>;
  readonly attachments?: readonly Attachment[];
}

const paramsOf = (parts: Parts = {}, authorizations = new Map<string, string>()) =>
  toResponseParams(
    {
      conversationId: 'conv_1',
      run: {
        ...{ runId: 'run_1', threadId: 'thread_1', projectId: 'p', assistantId: 'asst_1', status: 'queued' },
        ...{ createdAt: new Date(0), expiresAt: new Date(1) },
        ...parts.run,
      },
      assistant: { ...assistant, ...parts.assistant },
      project: { ...project, ...parts.project },
      input: { ...input, ...parts.input },
      ...(parts.attachments && { attachments: parts.attachments }),
    },
    authorizations,
  );

test('a run asks for a kept background response in its conversation, and for nothing that is not configured', () => {
  expect(paramsOf()).toEqual({
    model: 'gpt-5-mini',
    conversation: 'conv_1',
    input: [{ role: 'user', content: 'Hello' }],
    instructions: 'Help.',
    truncation: 'auto',
    background: true,
    store: true,
    stream: true,
    metadata: { projectId: 'p', threadId: 'thread_1', runId: 'run_1' },
  });
});

test("a run asks for everything that its assistant's configuration says", () => {
  const params = paramsOf({
    assistant: {
      ...{ temperature: 0, topP: 0.5, maxOutputTokens: 100, reasoningEffort: 'none' },
      responseFormat: { type: 'json_object' },
    },
  });
  expect(params).toMatchObject({
    temperature: 0,
    top_p: 0.5,
    max_output_tokens: 100,
    reasoning: { effort: 'none' },
    text: { format: { type: 'json_object' } },
  });
});

describe('the instructions of a run', () => {
  test.each([
    ['Help.', undefined, null],
    ['Help.\n\nRun.', undefined, 'Run.'],
    ['Help.\n\nProject.', 'Project.', null],
    ['Help.\n\nProject.\n\nRun.', 'Project.', 'Run.'],
    ['Help.', '', ''],
  ])('are %j with those of the project %j and of the run %j', (expected, ofProject, ofRun) => {
    const params = paramsOf({
      project: ofProject === undefined ? {} : { instructions: ofProject },
      input: { instructions: ofRun },
    });
    expect(params.instructions).toBe(expected);
  });

  const codeUnit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
  const text = fc.string({ unit: codeUnit });

  test('begin with those of assistant and project, whatever a caller sends', () => {
    fc.assert(
      fc.property(text, text, (message, instructions) => {
        const params = paramsOf({ project: { instructions: 'Project.' }, input: { message, instructions } });
        expect(params.instructions.startsWith('Help.\n\nProject.')).toBe(true);
        expect(params.instructions.endsWith(instructions)).toBe(true);
        expect(params.input).toEqual([{ role: 'user', content: message }]);
      }),
    );
  });
});

describe('the tools of a run', () => {
  test('are those of the assistant in the words of the engine', () => {
    const { tools } = paramsOf({
      assistant: {
        tools: [
          { type: 'file_search', vectorStoreIds: ['vs_1'], maxResults: 5 },
          { type: 'code_interpreter' },
          { type: 'web_search' },
        ],
      },
    });
    expect(tools).toEqual([
      { type: 'file_search', vector_store_ids: ['vs_1'], max_num_results: 5 },
      { type: 'code_interpreter', container: { type: 'auto' } },
      { type: 'web_search' },
    ]);
  });

  test('show in a stream what code puts out, but not the texts that a search finds', () => {
    const included = (...types: ('code_interpreter' | 'web_search' | 'file_search')[]) =>
      paramsOf({
        assistant: { tools: types.map((type) => ({ type })) },
        project: { vectorStoreIds: ['vs_1'] },
      }).include;
    expect(included('file_search', 'code_interpreter')).toEqual(['code_interpreter_call.outputs']);
    expect(included('file_search', 'web_search')).toBeUndefined();
  });

  test("search the project's stores besides the assistant's, each once", () => {
    const { tools } = paramsOf({
      assistant: { tools: [{ type: 'file_search', vectorStoreIds: ['vs_1', 'vs_2'] }] },
      project: { vectorStoreIds: ['vs_2'] },
    });
    expect(tools).toEqual([{ type: 'file_search', vector_store_ids: ['vs_2', 'vs_1'] }]);
  });

  test('search the two most specific stores, as the engine refuses more', () => {
    const search = { type: 'file_search' as const, vectorStoreIds: ['vs_1'] };
    const project = { vectorStoreIds: ['vs_2'], documentStoreId: 'vs_3' };
    const searched = (named: string[], of: Partial<Project> = project) => {
      const vectorStores = named.map((engineStoreId) => ({ engineStoreId, vectorStoreId: 'vs_sealed' }));
      const run = { overrides: { vectorStores } };
      const { tools } = paramsOf({ assistant: { tools: [search] }, project: of, run });
      return tools?.flatMap((tool) => (tool.type === 'file_search' ? tool.vector_store_ids : []));
    };
    expect(searched([])).toEqual(['vs_3', 'vs_2']);
    expect(searched([], { documentStoreId: 'vs_3' })).toEqual(['vs_3', 'vs_1']);
    expect(searched(['vs_5'])).toEqual(['vs_5', 'vs_3']);
    expect(searched(['vs_5', 'vs_4'])).toEqual(['vs_5', 'vs_4']);
    expect(searched(['vs_5', 'vs_5'])).toEqual(['vs_5', 'vs_3']);
  });

  test("search the project's stores though the assistant has no search of its own", () => {
    const { tools } = paramsOf({
      assistant: { tools: [{ type: 'web_search' }] },
      project: { vectorStoreIds: ['vs_3'] },
    });
    expect(tools).toEqual([{ type: 'web_search' }, { type: 'file_search', vector_store_ids: ['vs_3'] }]);
  });

  test('are left out where there are none', () => {
    expect(paramsOf({ assistant: { tools: [] }, project: { vectorStoreIds: [] } })).not.toHaveProperty(
      'tools',
    );
  });

  test('include functions, whose arguments are not guaranteed unless they are strict', () => {
    const parameters = { type: 'object', properties: { orderId: { type: 'string' } } };
    const { tools } = paramsOf({
      assistant: {
        tools: [
          { type: 'function', name: 'get_order', description: 'An order.', parameters, strict: true },
          { type: 'function', name: 'ping' },
        ],
      },
    });
    expect(tools).toEqual([
      { type: 'function', name: 'get_order', description: 'An order.', parameters, strict: true },
      { type: 'function', name: 'ping', parameters: { type: 'object', properties: {} }, strict: false },
    ]);
  });

  test('include MCP servers with their tokens; calls wait for approval unless they need none', () => {
    const server = { type: 'mcp', serverLabel: 'crm', serverUrl: 'https://crm.example' } as const;
    const { tools } = paramsOf(
      {
        assistant: {
          tools: [
            server,
            { ...server, allowedTools: ['a'], requireApproval: 'never', authorizationSetting: 'MCP_TOKEN' },
            { ...server, requireApproval: { never: ['b'] } },
          ],
        },
      },
      new Map([['MCP_TOKEN', 'token']]),
    );
    const common = { type: 'mcp', server_label: 'crm', server_url: 'https://crm.example' };
    expect(tools).toEqual([
      { ...common, require_approval: 'always' },
      { ...common, allowed_tools: ['a'], require_approval: 'never', authorization: 'token' },
      { ...common, require_approval: { never: { tool_names: ['b'] } } },
    ]);
  });
});

test('images are seen and other files read, also by a code interpreter', () => {
  const attachments = [
    { engineFileId: 'file-1', mediaType: 'image/png' },
    { engineFileId: 'file-2', mediaType: 'text/csv' },
  ];
  const { input: messages, tools } = paramsOf({
    assistant: { tools: [{ type: 'code_interpreter' }] },
    attachments,
  });
  expect(messages).toEqual([
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Hello' },
        { type: 'input_image', file_id: 'file-1', detail: 'auto' },
        { type: 'input_file', file_id: 'file-2' },
      ],
    },
  ]);
  expect(tools).toEqual([{ type: 'code_interpreter', container: { type: 'auto', file_ids: ['file-2'] } }]);
});
