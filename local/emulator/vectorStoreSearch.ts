import type { VectorStoreSearchResponse } from 'openai/resources/vector-stores';
import type { Engine } from './engine.ts';
import { badRequest, invalidType, missingParameter } from './errors.ts';
import { searchFiles } from './fileSearch.ts';
import { type Call, type HandlerResult, ok } from './http.ts';
import type { JsonObject } from './types.ts';
import { isObject, parseFlag, parseNumber, rejectUnknown } from './validation.ts';
import { filesOf, findStore } from './vectorStores.ts';

const parameters = ['filters', 'max_num_results', 'query', 'ranking_options', 'rewrite_query'];
const defaultResults = 10;

/** Searches a vector store. A rewritten query is in lower case. */
export function searchStore(engine: Engine, { ids, body }: Call): HandlerResult {
  rejectUnknown(body, new Set(parameters));
  const store = findStore(engine, ids[0] ?? '');
  const queries = parseQueries(body['query']);
  const max = parseNumber(body, 'max_num_results', { min: 1, max: 50, integer: true }) ?? defaultResults;
  const ranking = isObject(body['ranking_options']) ? body['ranking_options'] : {};
  const threshold = parseNumber(ranking, 'score_threshold', { min: 0, max: 1 }) ?? 0;
  const filters = body['filters'];
  const files = filesOf(engine, store).filter(({ attributes }) => matches(attributes, filters ?? null));
  const search_query = parseFlag(body, 'rewrite_query', false)
    ? queries.map((query) => query.toLowerCase())
    : queries;
  const data = searchFiles(engine, files, queries.join('\n'))
    .filter(({ score }) => score >= threshold)
    .slice(0, max)
    .map(({ fileId, filename, score, text }) => {
      const attributes = files.find((file) => file.fileId === fileId)?.attributes ?? {};
      return {
        ...{ file_id: fileId, filename, score },
        attributes: attributes as VectorStoreSearchResponse['attributes'],
        content: [{ type: 'text' as const, text }],
      } satisfies VectorStoreSearchResponse;
    });
  return ok({
    object: 'vector_store.search_results.page',
    search_query,
    data,
    has_more: false,
    next_page: null,
  });
}

function parseQueries(query: unknown): string[] {
  if (query === undefined) throw missingParameter('query');
  const queries = Array.isArray(query) ? query : [query];
  if (queries.length === 0 || queries.some((one) => typeof one !== 'string'))
    throw invalidType('query', 'a string or an array of strings', query);
  return queries;
}

/** Returns whether the attributes of a file are what a filter asks for. @throws {ApiError} 400 for an unknown filter. */
function matches(attributes: JsonObject, filter: unknown): boolean {
  if (filter === null) return true;
  if (!isObject(filter)) throw invalidType('filters', 'an object', filter);
  const { type, filters, key, value } = filter;
  if (type === 'and' || type === 'or') {
    if (!Array.isArray(filters)) throw missingParameter('filters.filters');
    const results = filters.map((one) => matches(attributes, one));
    return type === 'and' ? results.every(Boolean) : results.some(Boolean);
  }
  const compare = comparisons[String(type)];
  if (!compare) throw badRequest('Invalid filter.', 'filters.type', 'invalid_value');
  const actual = attributes[String(key)];
  return actual !== undefined && compare(actual, value);
}

const isIn = (actual: unknown, values: unknown) => Array.isArray(values) && values.includes(actual);

const comparisons: Record<string, (actual: unknown, value: unknown) => boolean> = {
  eq: (actual, value) => actual === value,
  ne: (actual, value) => actual !== value,
  gt: (actual, value) => Number(actual) > Number(value),
  gte: (actual, value) => Number(actual) >= Number(value),
  lt: (actual, value) => Number(actual) < Number(value),
  lte: (actual, value) => Number(actual) <= Number(value),
  in: isIn,
  nin: (actual, values) => !isIn(actual, values),
};
