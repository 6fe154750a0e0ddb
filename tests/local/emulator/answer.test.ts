import { describe, expect, test } from '@jest/globals';
import type { Response } from 'openai/resources/responses/responses';
import { fileSearch, model, start } from '../../support/emulator.ts';

function citedFiles(response: Response) {
  const parts = response.output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const annotations = parts.flatMap((part) => (part.type === 'output_text' ? part.annotations : []));
  return annotations.map((annotation) => (annotation.type === 'file_citation' ? annotation.filename : ''));
}

describe('answers', () => {
  test.each([
    [
      'Can you help me understand the authentication flow in this project?',
      'authentication.md',
      'access token',
    ],
    ['Explain the database schema for users and teams', 'database-schema.md', 'CREATE TABLE users'],
    ['What are the best practices for error handling in this codebase?', 'error-handling.md', 'AppError'],
  ])('to "%s" quote %s', async (input, filename, words) => {
    const { client } = await start();
    const response = await client.responses.create({ model, input, tools: [fileSearch] });
    expect(response.output.map((item) => item.type)).toEqual(['file_search_call', 'message']);
    expect(response.output_text).toContain(words);
    expect(response.output_text).toContain(`\`${filename}\``);
    expect(response.output_text).toMatch(/^This is the local emulator/);
    expect(citedFiles(response)[0]).toBe(filename);
  });

  test('to a follow-up that names nothing speak of the question before', async () => {
    const { client } = await start();
    const { id: conversation } = await client.conversations.create();
    const ask = (input: string) =>
      client.responses.create({ model, input, conversation, tools: [fileSearch] });
    await ask('How is a deployment rolled back?');
    expect(citedFiles(await ask('Could you explain that in more detail?'))[0]).toBe('deployment.md');
    expect(citedFiles(await ask('Thanks! Go on, please.'))[0]).toBe('deployment.md');
    expect(citedFiles(await ask('And what is a refresh token?'))[0]).toBe('authentication.md');
    const unrelated = await ask('And how do I cook pasta carbonara?');
    expect(unrelated.output_text).toContain('found nothing');
    expect(citedFiles(unrelated)).toEqual([]);
  });

  test('say so when the documents hold nothing', async () => {
    const { client } = await start();
    const response = await client.responses.create({ model, input: 'Pasta carbonara?', tools: [fileSearch] });
    expect(response.output_text).toContain('found nothing');
    expect(citedFiles(response)).toEqual([]);
  });

  test('hold the search results only when they are asked for', async () => {
    const { client } = await start();
    const body = { model, input: 'What is the burndown?', tools: [fileSearch] };
    const { id, output } = await client.responses.create(body);
    expect(output[0]).toMatchObject({ type: 'file_search_call', status: 'completed', results: null });
    const { output: included } = await client.responses.retrieve(id, {
      include: ['file_search_call.results'],
    });
    expect(included[0]).toMatchObject({ results: [{ filename: 'sprint-planning.md', score: 1 }] });
  });

  test('are cut at max_output_tokens', async () => {
    const { client } = await start();
    const input = 'Explain the database schema for users and teams';
    const response = await client.responses.create({
      model,
      input,
      tools: [fileSearch],
      max_output_tokens: 20,
    });
    expect(response).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      completed_at: null,
      usage: { output_tokens: 20 },
    });
    expect(response.output.at(-1)).toMatchObject({ status: 'incomplete' });
    expect(response.output_text).toHaveLength(80);
  });
});
