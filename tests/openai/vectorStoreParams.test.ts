import { describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { createEngineVectorStores, type EngineVectorStores } from '../../shared/engine/vectorStores.ts';
import {
  readAttributesBody,
  readNewFileBatch,
  readNewVectorStore,
  readNewVectorStoreFile,
  readSearch,
  readVectorStoreChanges,
} from '../../shared/openai/vectorStoreParams.ts';
import { pathsOf } from '../support/wireSchemas.ts';

/* No parameter of a vector store is dropped in silence: what a client sends is what the engine is asked, but for ids. */

/** Returns the body that the engine gets. */
async function asked(send: (stores: EngineVectorStores) => Promise<unknown>): Promise<unknown> {
  let body: unknown;
  const openai = new OpenAI({
    ...{ apiKey: 'test', baseURL: 'http://engine.test', maxRetries: 0 },
    fetch: async (_, init) => {
      body = JSON.parse(String(init?.body));
      return Response.json({ error: { message: 'Enough.' } }, { status: 500 });
    },
  });
  const stores = createEngineVectorStores({
    toolAuthorizations: new Map(),
    open: async () => openai,
    call: (timeout, send_) => send_(openai, { timeout, signal: new AbortController().signal }),
  });
  await send(stores).catch(() => undefined);
  return body;
}

const chunking_strategy = {
  type: 'static',
  static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 100 },
};
const labels = {
  ...{ name: 'Recipes', metadata: { a: '1' } },
  expires_after: { anchor: 'last_active_at', days: 7 },
};
const file = { file_id: 'file_x', attributes: { a: 1, b: true, c: 'x' }, chunking_strategy };
const filters = {
  type: 'and',
  filters: [
    { type: 'or', filters: [{ type: 'nin', key: 'a', value: ['x', 1] }] },
    { type: 'eq', key: 'b', value: true },
  ],
};

const search = {
  query: ['eggs', 'cheese'],
  filters,
  max_num_results: 7,
  ranking_options: { ranker: 'default-2024-11-15', score_threshold: 0.5 },
  rewrite_query: true,
};

describe.each([
  [
    'VectorStoreCreateParams',
    [{ ...labels, description: 'Of pasta', file_ids: ['file_x'], chunking_strategy }, {}],
    (body: object) => asked((stores) => stores.create(readNewVectorStore(body, ''), 1)),
  ],
  [
    'VectorStoreUpdateParams',
    [labels, { name: null, metadata: null, expires_after: null }, {}],
    (body: object) => asked((stores) => stores.update('vs', readVectorStoreChanges(body, ''), 1)),
  ],
  [
    'VectorStoreSearchParams',
    [search, { query: 'eggs' }, { query: 'eggs', filters: { type: 'lte', key: 'a', value: 2.5 } }],
    (body: object) => asked((stores) => stores.search('vs', readSearch(body, ''), 1)),
  ],
  [
    'FileCreateParams',
    [file, { file_id: 'file_x' }, { file_id: 'file_x', chunking_strategy: { type: 'auto' } }],
    (body: object) => asked((stores) => stores.addFile('vs', readNewVectorStoreFile(body, ''), 1)),
  ],
  [
    'FileUpdateParams',
    [{ attributes: { a: 1 } }, { attributes: null }],
    (body: object) => {
      const { attributes } = readAttributesBody(body, '');
      return asked((stores) => stores.setAttributes('vs', 'file', attributes, 1));
    },
  ],
  [
    'FileBatchCreateParams',
    [{ files: [file] }, { file_ids: ['file_x'], attributes: file.attributes, chunking_strategy }],
    (body: object) => asked((stores) => stores.addBatch('vs', readNewFileBatch(body, ''), 1)),
  ],
])('%s', (type, bodies: readonly object[], send) => {
  test.each(bodies)('is passed on: %j', async (body) => {
    expect(await send(body)).toEqual(body);
  });

  test('is complete', () => {
    const sent = new Set<string>();
    const visit = (value: unknown, prefix: string): void => {
      if (Array.isArray(value)) for (const item of value) visit(item, `${prefix}[]`);
      else if (typeof value === 'object' && value !== null) {
        for (const [name, inner] of Object.entries(value)) {
          const path = prefix ? `${prefix}.${name}` : name;
          sent.add(path);
          visit(inner, path);
        }
      }
    };
    for (const body of bodies) visit(body, '');
    expect(pathsOf(type).filter((path) => !sent.has(path))).toEqual([]);
  });
});
