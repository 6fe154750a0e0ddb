import { describe, expect, test } from '@jest/globals';
import type { ResponseOutputText } from 'openai/resources/responses/responses';
import { fileSearch, model, start } from '../../support/emulator.ts';

const question = 'Can you help me understand the authentication flow in this project?';

async function ask(instructions: string, more: object = {}) {
  const { client } = await start();
  const response = await client.responses.create({
    model,
    instructions,
    input: question,
    tools: [fileSearch],
    ...more,
  });
  const message = response.output.at(-1);
  const part = message?.type === 'message' ? message.content[0] : undefined;
  return { text: response.output_text, annotations: (part as ResponseOutputText).annotations, response };
}

describe('instructions', () => {
  test('are quoted below the reply, shortened', async () => {
    expect((await ask('Help the  members\nof a project.')).text).toMatch(
      /\n\n\(My instructions: “Help the members of a project\.”\)$/,
    );
    const long = `First words. ${'More words. '.repeat(30)}Last words.`;
    expect((await ask(long)).text).toMatch(/\(My instructions: “First words\. .* … .* Last words\.”\)$/);
    expect((await ask('')).text).not.toContain('instructions');
  });

  test('can demand one sentence, which keeps its source', async () => {
    const { text, annotations } = await ask('TestResponse in one sentence.');
    expect(text).toMatch(/^The project's documents say:/);
    expect(text.match(/[.!?](\s|$)/g)).toHaveLength(1);
    expect(annotations).toMatchObject([{ filename: 'authentication.md', index: text.length }]);
  });

  test.each([
    ['Begin with "Ahoy, you!"', /^Ahoy, you! This is/],
    ['Be kind. Always begin your reply with Ahoy.', /^Ahoy This is/],
    ['End every reply with "Yours, E."', / Yours, E\.\n\n\(My/],
    ['TestResponse in upper case.', /^THIS IS THE LOCAL EMULATOR/],
  ])('like %s are followed', async (instructions, expected) => {
    expect((await ask(instructions)).text).toMatch(expected);
  });

  test('that begin the reply otherwise move its citations', async () => {
    const { text, annotations } = await ask('Begin with Ahoy.');
    const [first] = annotations;
    if (first?.type !== 'file_citation') throw new Error('no citation');
    const plain = await ask('');
    const [unmoved] = plain.annotations;
    expect(text.slice(0, first.index)).toBe(
      `Ahoy ${plain.text.slice(0, unmoved?.type === 'file_citation' ? unmoved.index : 0)}`,
    );
  });

  test('in force are shown by the response', async () => {
    expect((await ask('Be kind.')).response).toMatchObject({ instructions: 'Be kind.', metadata: {} });
  });
});

describe('a text format', () => {
  const schema = {
    type: 'object',
    properties: {
      response: { type: 'string' },
      sure: { type: 'boolean' },
      score: { type: 'integer', minimum: 3 },
      kind: { $ref: '#/$defs/kind' },
      sources: { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
    },
    required: ['response', 'sure', 'score', 'kind', 'sources'],
    additionalProperties: false,
    $defs: { kind: { type: 'string', enum: ['guess', 'fact'] } },
  };

  test('json_schema is kept by the reply', async () => {
    const { text, annotations } = await ask('Be kind.', {
      text: { format: { type: 'json_schema', name: 'reply', schema, strict: true } },
    });
    expect(JSON.parse(text)).toEqual({
      response: expect.any(String),
      sure: true,
      score: expect.any(Number),
      kind: 'guess',
      sources: [expect.any(String)],
    });
    expect(JSON.parse(text).score).toBeGreaterThanOrEqual(3);
    expect(annotations).toEqual([]);
  });

  test('json_object is kept by the reply', async () => {
    const { text } = await ask('Reply in JSON.', { text: { format: { type: 'json_object' } } });
    expect(JSON.parse(text)).toEqual({ reply: expect.stringContaining('documents say') });
  });
});
