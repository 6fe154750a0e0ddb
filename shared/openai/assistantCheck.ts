import { assistantIssues } from '../assistants/assistants.ts';
import type { Assistant, AssistantOverrides } from '../model/assistant.ts';
import { badRequest } from './wireError.ts';

/** Names of parameters that the configuration spells differently. */
const params: Readonly<Record<string, string>> = {
  responseFormat: 'response_format',
  topP: 'top_p',
  maxOutputTokens: 'max_completion_tokens',
  reasoningEffort: 'reasoning_effort',
};

/** Maximum size of what a run keeps of its assistant, in bytes of JSON. */
const maxOverridesBytes = 60_000;

/**
 * Checks an assistant, or what a run makes of it, as a configured one is checked, except that it may do without a name
 * and instructions.
 * @throws {WireError} 400.
 */
export function checkAssistant({ id, name, model, instructions, ...rest }: Assistant): void {
  const { tools, temperature, topP, maxOutputTokens, responseFormat, reasoningEffort } = rest;
  const definition = { tools, temperature, topP, maxOutputTokens, responseFormat, reasoningEffort };
  const known = Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== undefined));
  // First, because checking schemas takes time in proportion to their size.
  checkSize(known);
  const [issue] = assistantIssues({
    ...known,
    id,
    name: name || 'unnamed',
    model,
    instructions: instructions || 'none',
  });
  if (issue !== undefined) {
    const [property = ''] = issue.split(/[ .]/);
    throw badRequest(`Invalid assistant: ${issue}.`, params[property] ?? property, 'invalid_value');
  }
}

/** @param models those that are configured. @throws {WireError} 400 for another. */
export function checkModel(model: string, models: ReadonlySet<string>): void {
  if (models.has(model)) return;
  const message = 'The requested model is not one of this service, whose models are listed by GET /models.';
  throw badRequest(message, 'model', 'model_not_found');
}

/** @throws {WireError} 400 for more than a run can keep. */
export function checkSize(overrides: AssistantOverrides): void {
  if (Buffer.byteLength(JSON.stringify(overrides)) <= maxOverridesBytes) return;
  throw badRequest('The tools and the response format are too large.', 'tools', 'array_above_max_length');
}
