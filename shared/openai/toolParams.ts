import type { AssistantTool, ResponseFormat, ToolChoice } from '../model/assistant.ts';
import { absent } from './messageParams.ts';
import { anyObject, flag, number, object, oneOf, optional, type Reader, text } from './readers.ts';
import { notOffered } from './wireError.ts';

/**
 * Reads the ranking of a search. The engine has one ranker only. The original showed its default wherever none was chosen,
 * so programs send it back, and exports are full of it.
 */
const readRanking = object({
  ranker: optional(oneOf('auto', 'default_2024_08_21')),
  score_threshold: optional(number({ min: 0, max: 1 })),
  hybrid_search: absent(),
});

/** Reads a tool of an assistant or a run. */
export const readTool: Reader<AssistantTool> = (value, param) => {
  const type = (value as { type?: unknown } | null)?.type;
  if (type === 'code_interpreter') return object({ type: oneOf('code_interpreter') })(value, param);
  if (type === 'file_search') {
    const { file_search } = object({
      type: oneOf('file_search'),
      file_search: optional(
        object({
          max_num_results: optional(number({ min: 1, max: 50, integer: true })),
          ranking_options: optional(readRanking),
        }),
      ),
    })(value, param);
    const { max_num_results: maxResults, ranking_options: ranking } = file_search ?? {};
    return {
      type,
      ...(maxResults !== undefined && { maxResults }),
      ...(ranking?.score_threshold && { scoreThreshold: ranking.score_threshold }),
    };
  }
  if (type === 'function') return readFunction(value, param);
  if (type === 'retrieval') {
    throw notOffered(`${param}.type`, "is 'retrieval', which is of version 1 of the API: use 'file_search'");
  }
  throw oneOf('code_interpreter', 'file_search', 'function')(type, `${param}.type`);
};

const readFunction: Reader<AssistantTool> = (value, param) => {
  const { function: definition } = object({
    type: oneOf('function'),
    function: object({
      name: text({ min: 1, max: 64 }),
      description: optional(text({ max: 4096 })),
      parameters: optional(anyObject),
      strict: optional(flag),
    }),
  })(value, param);
  const { name, description, parameters, strict } = definition;
  return {
    type: 'function',
    name,
    ...(description && { description }),
    ...(parameters && Object.keys(parameters).length > 0 && { parameters }),
    ...(strict !== undefined && { strict }),
  };
};

export const readToolChoice: Reader<ToolChoice> = (value, param) => {
  if (typeof value === 'string') return oneOf('none', 'auto', 'required')(value, param);
  const choice = object({
    type: oneOf('function', 'file_search', 'code_interpreter'),
    function: optional(object({ name: text({ min: 1, max: 64 }) })),
  })(value, param);
  if (choice.type !== 'function') return { type: choice.type };
  const { name } = object({ name: text({ min: 1, max: 64 }) })(choice.function, `${param}.function`);
  return { type: 'function', name };
};

/** Reads the form of replies; undefined for `auto`, the assistant's own. */
export const readResponseFormat: Reader<ResponseFormat | undefined> = (value, param) => {
  if (value === 'auto') return undefined;
  const type = (value as { type?: unknown } | null)?.type;
  if (type === 'json_schema') {
    const { json_schema } = object({ type: oneOf('json_schema'), json_schema: jsonSchema })(value, param);
    const { name, description, schema, strict } = json_schema;
    return {
      ...{ type, name, schema },
      ...(description && { description }),
      ...(strict !== undefined && { strict }),
    };
  }
  return {
    type: object({ type: oneOf('text', 'json_object', 'json_schema') })(value, param).type,
  } as ResponseFormat;
};

const jsonSchema = object({
  name: text({ min: 1, max: 64 }),
  description: optional(text({ max: 4096 })),
  schema: anyObject,
  strict: optional(flag),
});
