import type { ResponseOutputText } from 'openai/resources/responses/responses';
import { compose } from './compose.ts';
import { endOf } from './composing.ts';
import type { Engine } from './engine.ts';
import { newId } from './ids.ts';
import { askedOf, textOf } from './items.ts';
import { toOutputItems } from './ordered.ts';
import type { IncompleteReason, Item, OutputItem, ResponseRecord, ResponseResult } from './types.ts';

const charactersPerToken = 4;

/** Returns the output of a response: the configured one, or else a composed reply, truncated if required. */
export function composeResult(
  engine: Engine,
  record: ResponseRecord,
  history: readonly Item[],
): ResponseResult {
  const { outcome, request } = record;
  const read = [...history, ...request.input];
  const ordered = outcome && 'output' in outcome ? outcome.output : null;
  const composing = { engine, request, history, question: textOfNewest(askedOf(request.input, history)) };
  if (ordered) return toConfigured(record, toOutputItems(composing, ordered), read);
  const { items, text, annotations, readTexts } = compose(composing);
  const usage = (written: string) =>
    toUsage(read, [request.instructions ?? '', ...readTexts], items.map(writtenText).join('') + written);
  if (text === null) return { output: items, usage: usage(''), incompleteReason: null };
  const limit = (request.maxOutputTokens ?? Infinity) * charactersPerToken;
  const incompleteReason = incompleteReasonOf(record, text.length > limit);
  const written = incompleteReason ? text.slice(0, Math.min(limit, Math.ceil(text.length / 2))) : text;
  const kept = annotations.filter((annotation) => endOf(annotation) <= written.length);
  const message = toMessage(written, kept, incompleteReason ? 'incomplete' : 'completed');
  return { output: [...items, message], usage: usage(written), incompleteReason };
}

function toConfigured(
  { outcome, request }: ResponseRecord,
  output: OutputItem[],
  read: readonly Item[],
): ResponseResult {
  const usage = toUsage(read, [request.instructions ?? ''], output.map(writtenText).join(''));
  return { output, usage, incompleteReason: outcome?.status === 'incomplete' ? outcome.reason : null };
}

function textOfNewest(input: readonly Item[]): string {
  const message = input.findLast((item) => item.type === 'message' && item.role === 'user');
  return message ? textOf(message) : '';
}

function writtenText(item: OutputItem): string {
  if ('arguments' in item) return item.arguments;
  if (item.type === 'code_interpreter_call') return item.code ?? '';
  if (item.type === 'message')
    return item.content.map((part) => ('text' in part ? part.text : part.refusal)).join('');
  return '';
}

function incompleteReasonOf(record: ResponseRecord, isTooLong: boolean): IncompleteReason | null {
  if (record.outcome?.status === 'incomplete') return record.outcome.reason;
  return isTooLong ? 'max_output_tokens' : null;
}

function toMessage(
  text: string,
  annotations: ResponseOutputText['annotations'],
  status: 'completed' | 'incomplete',
): OutputItem {
  const content: ResponseOutputText[] = [{ type: 'output_text', text, annotations, logprobs: [] }];
  return { id: newId('msg'), type: 'message', status, role: 'assistant', content };
}

function toUsage(read: readonly Item[], texts: readonly string[], written: string): ResponseResult['usage'] {
  const input_tokens =
    read.reduce((sum, item) => sum + tokensOf(item), 0) +
    texts.reduce((sum, { length }) => sum + Math.ceil(length / charactersPerToken), 0);
  const output_tokens = Math.ceil(written.length / charactersPerToken);
  return {
    input_tokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input_tokens + output_tokens,
  };
}

/** Cached token counts: items are immutable, and every response counts its whole conversation. */
const countedTokens = new WeakMap<Item, number>();

function tokensOf(item: Item): number {
  const counted = countedTokens.get(item) ?? Math.ceil(textOf(item).length / charactersPerToken);
  countedTokens.set(item, counted);
  return counted;
}
