import { Ajv2020 } from 'ajv/dist/2020.js';
import { deepFreeze } from '../freeze.ts';
import type { Assistant, AssistantTool } from '../model/assistant.ts';
import schema from './assistant.schema.json' with { type: 'json' };
import { isJsonSchema } from './jsonSchema.ts';
import { responseFormatIssues } from './responseFormat.ts';

// The tests validate the schema; loading the meta-schemas here would slow every start.
const ajv = new Ajv2020({ allErrors: true, discriminator: true, meta: false, validateSchema: false });
const isAssistant = ajv.compile<Assistant>(schema);

/** Validates an assistant. @returns its issues with their locations; empty when it is valid. */
export function assistantIssues(value: unknown): string[] {
  if (isAssistant(value)) {
    return [...(value.tools ?? []).flatMap(toolIssues), ...responseFormatIssues(value.responseFormat)];
  }
  return (isAssistant.errors ?? []).map(({ instancePath, message, params }) => {
    const unknown = params['additionalProperty'];
    const place = instancePath.slice(1).replaceAll('/', '.') || 'the assistant';
    return unknown === undefined ? `${place} ${message}` : `${place} has an unknown field "${unknown}"`;
  });
}

/** Returns what is wrong with a tool beyond its schema. */
function toolIssues(tool: AssistantTool, index: number, tools: readonly AssistantTool[]): string[] {
  const name = nameOf(tool);
  const isTaken = name !== undefined && tools.findIndex((other) => nameOf(other) === name) < index;
  const isSchema = tool.type !== 'function' || isJsonSchema(tool.parameters ?? {});
  return [
    ...(isTaken ? [`tools.${index} has a name that is taken`] : []),
    ...(isSchema ? [] : [`tools.${index}.parameters must be a valid JSON Schema`]),
  ];
}

const nameOf = (tool: AssistantTool): string | undefined =>
  tool.type === 'function'
    ? `function ${tool.name}`
    : tool.type === 'mcp'
      ? `mcp ${tool.serverLabel}`
      : undefined;

/** Returns the names of the settings with tokens for an assistant's MCP servers, by the location of each. */
export const authorizationSettings = ({ tools = [] }: Assistant): ReadonlyMap<string, string> =>
  new Map(
    tools.flatMap((tool, index): [string, string][] =>
      tool.type === 'mcp' && tool.authorizationSetting !== undefined
        ? [[`tools.${index}.authorizationSetting`, tool.authorizationSetting]]
        : [],
    ),
  );

/**
 * Parses the `ASSISTANTS` setting, a JSON array of assistants, into a map by id. Never throws: appends issues, each naming
 * its assistant, to `issues`.
 */
export function parseAssistants(text: string, issues: string[]): ReadonlyMap<string, Assistant> {
  const assistants = new Map<string, Assistant>();
  if (text === '') return assistants;
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it is dropped.
  }
  if (!Array.isArray(values) || values.length === 0) {
    issues.push('ASSISTANTS must be a JSON array of at least one assistant');
    return assistants;
  }
  for (const [index, value] of values.entries()) {
    const found = assistantIssues(value);
    const name = typeof value?.id === 'string' ? value.id : `number ${index + 1}`;
    if (found.length === 0 && assistants.has(value.id)) found.push('has an id that is taken');
    issues.push(...found.map((issue) => `ASSISTANTS, ${name}: ${issue}`));
    if (found.length === 0) assistants.set(value.id, deepFreeze(value));
  }
  return assistants;
}
