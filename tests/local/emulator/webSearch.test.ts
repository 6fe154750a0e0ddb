import { expect, test } from '@jest/globals';
import { collect, fileSearch, model, start, typesOf } from '../../support/emulator.ts';

const webSearch = { type: 'web_search' as const };

test('a web search cites its source with the offsets of the link', async () => {
  const { client } = await start();
  const body = { model, input: 'What is the latest news?', tools: [webSearch, fileSearch] };
  const { output, output_text } = await client.responses.create(body);
  expect(output).toMatchObject([
    {
      id: expect.stringMatching(/^ws_/),
      type: 'web_search_call',
      status: 'completed',
      action: { type: 'search', query: 'What is the latest news?' },
    },
    { type: 'message' },
  ]);
  expect(output[0]).not.toHaveProperty('action.sources');
  const [part] = output[1]?.type === 'message' ? output[1].content : [];
  const [citation] = part?.type === 'output_text' ? part.annotations : [];
  if (citation?.type !== 'url_citation') throw new Error('no citation');
  const { start_index, end_index, title, url } = citation;
  expect(output_text.slice(start_index, end_index)).toBe(`([${title}](${url}))`);
  const included = { ...body, include: ['web_search_call.action.sources' as const] };
  expect((await client.responses.create(included)).output[0]).toMatchObject({
    action: { sources: [{ type: 'url', url }] },
  });
});

test('documents come before the web unless the question asks for it', async () => {
  const { client } = await start();
  const ask = async (input: string, tools: (typeof webSearch | typeof fileSearch)[]) =>
    (await client.responses.create({ model, input, tools })).output[0]?.type;
  expect(await ask('How is a deployment rolled back?', [webSearch, fileSearch])).toBe('file_search_call');
  expect(await ask('How is a deployment rolled back?', [webSearch])).toBe('web_search_call');
});

test('a web search has the events of a real engine', async () => {
  const { client } = await start();
  const body = { model, input: 'News?', tools: [webSearch], background: true, stream: true } as const;
  const types = typesOf(await collect(await client.responses.create(body)));
  expect(types.slice(3, 8)).toEqual([
    'response.output_item.added',
    'response.web_search_call.in_progress',
    'response.web_search_call.searching',
    'response.web_search_call.completed',
    'response.output_item.done',
  ]);
  expect(types).toContain('response.output_text.annotation.added');
});
