import { type Composing, type Draft, toDraft } from './composing.ts';
import { newId } from './ids.ts';
import { sample } from './samples.ts';
import { termsOf } from './terms.ts';

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

/** Calls every function that the question asks for. */
export function callFunctions({ request, question }: Composing): Draft | null {
  if (request.echo['tool_choice'] === 'none') return null;
  const asked = request.tools.filter(
    ({ type, name, description }) =>
      type === 'function' && isAskedFor(question, { name: String(name), description }),
  );
  if (asked.length === 0) return null;
  return toDraft(null, {
    items: asked.map(({ name, parameters }) => ({
      id: newId('fc'),
      type: 'function_call',
      status: 'completed',
      arguments: JSON.stringify(sample(parameters ?? { type: 'object' }, question)),
      call_id: newId('call'),
      name: String(name),
    })),
  });
}
