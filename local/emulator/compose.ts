import { describeAttachments } from './attachments.ts';
import { drawChart } from './charts.ts';
import { type Composing, type Draft, moved, toDraft } from './composing.ts';
import { follow } from './instructions.ts';
import { askedOf } from './items.ts';
import { callMcpTool, listMcpTools } from './mcp.ts';
import { quoteDocuments } from './quotations.ts';
import { sample } from './samples.ts';
import { callFunctions } from './toolCalls.ts';
import { replyToOutputs } from './toolReplies.ts';
import { isObject } from './validation.ts';
import { searchWeb } from './webSearch.ts';

const introduction = 'This is the local emulator answering, not a language model. ';

/** Tried in this order. */
const composers: ((composing: Composing) => Draft | null)[] = [
  replyToOutputs,
  callFunctions,
  callMcpTool,
  drawChart,
  searchWeb,
  quoteDocuments,
];

/** Composes the reply of a response whose outcome is not configured. Follows the instructions and the text format. */
export function compose(composing: Composing): Draft {
  const draft = firstDraft(composing);
  const items = [...listMcpTools(composing), ...draft.items];
  if (draft.text === null) return { ...draft, items };
  const { engine, request, history } = composing;
  const attached = describeAttachments(engine, askedOf(request.input, history));
  const text = attached + draft.text;
  const json = toJson(composing, text);
  if (json !== null) return toDraft(json, { ...draft, items, annotations: [] });
  const annotations = moved(draft.annotations, attached.length);
  return { ...draft, items, ...follow(request.instructions, introduction, { text, annotations }) };
}

function firstDraft(composing: Composing): Draft {
  for (const composer of composers) {
    const draft = composer(composing);
    if (draft) return draft;
  }
  return toDraft(withoutDocuments(composing));
}

function withoutDocuments({ history }: Composing): string {
  const count = history.filter((item) => item.type === 'message').length;
  const messages = count === 1 ? 'is 1 earlier message' : `are ${count} earlier messages`;
  return `It has no documents to search. There ${messages} in this conversation.`;
}

/** Returns the reply in the JSON format that the request demands; null if it demands none. */
function toJson({ request }: Composing, text: string): string | null {
  const { format } = request.echo['text'] as { format?: unknown };
  if (!isObject(format)) return null;
  if (format['type'] === 'json_object') return JSON.stringify({ reply: text });
  return format['type'] === 'json_schema' ? JSON.stringify(sample(format['schema'], text)) : null;
}
