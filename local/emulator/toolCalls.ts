import { type Composing, type Draft, toDraft } from './composing.ts';
import { newId } from './ids.ts';
import { sample } from './samples.ts';
import { termsOf } from './terms.ts';
import type { JsonObject } from './types.ts';
import { isObject } from './validation.ts';

/** Number of words that a question and a tool's description must have in common. */
const sharedTerms = 2;

/** Returns whether a question has all words of a tool's name, or at least two of its description. */
export function isAskedFor(question: string, tool: { name: string; description: unknown }): boolean {
  const asked = termsOf(question);
  const named = termsOf(tool.name);
  if (named.size > 0 && [...named].every((term) => asked.has(term))) return true;
  const described = typeof tool.description === 'string' ? termsOf(tool.description) : new Set<string>();
  return [...described].filter((term) => asked.has(term)).length >= sharedTerms;
}

/** Calls the function that the request demands, or else every one that the question asks for. */
export function callFunctions({ request, question }: Composing): Draft | null {
  const chosen = chooseFunctions(
    request.tools.filter(({ type }) => type === 'function'),
    request.echo['tool_choice'],
    question,
  );
  if (chosen.length === 0) return null;
  return toDraft(null, {
    items: chosen.map(({ name, parameters }) => ({
      id: newId('fc'),
      type: 'function_call',
      status: 'completed',
      arguments: JSON.stringify(sample(parameters ?? { type: 'object' }, question)),
      call_id: newId('call'),
      name: String(name),
    })),
  });
}

function chooseFunctions(
  functions: readonly JsonObject[],
  choice: unknown,
  question: string,
): readonly JsonObject[] {
  if (choice === 'none') return [];
  if (isObject(choice) && choice['type'] === 'function')
    return functions.filter(({ name }) => name === choice['name']);
  const asked = functions.filter(({ name, description }) =>
    isAskedFor(question, { name: String(name), description }),
  );
  return asked.length === 0 && choice === 'required' ? functions.slice(0, 1) : asked;
}
