import type { ResponseOutputMessage, ResponseOutputText } from 'openai/resources/responses/responses';
import type { DocumentIndex, Match } from './documents.ts';
import { fileIdOf, newId } from './ids.ts';
import { textOf } from './items.ts';
import type {
  IncompleteReason,
  Item,
  OrderedItem,
  OrderedPart,
  OutputItem,
  ResponseRecord,
  ResponseResult,
} from './types.ts';

const charactersPerToken = 4;
const quotedSections = 3;
const searchedQuestions = 4;
/** Minimum score of a quoted section, relative to the best match. */
const lowestScore = 0.3;

const introduction = 'This is the local emulator answering, not a language model.';

/** Composes the output of a response: the configured one, or else quotations of the documents if it may search them. */
export function composeResult(
  documents: DocumentIndex,
  record: ResponseRecord,
  history: readonly Item[],
): ResponseResult {
  const read = [...history, ...record.request.input];
  if (record.outcome?.status === 'completed') {
    const output = record.outcome.output.map(toOutputItem);
    const usage = toUsage(read, record.request.instructions, [], output.map(writtenText).join(''));
    return { output, usage, incompleteReason: null };
  }
  return composeFromDocuments(documents, record, history, read);
}

/** Quotes sections of the documents, truncated as the request or the configured outcome requires. */
function composeFromDocuments(
  documents: DocumentIndex,
  record: ResponseRecord,
  history: readonly Item[],
  read: readonly Item[],
): ResponseResult {
  const { request } = record;
  const questions = lastQuestions(read);
  const searches = request.tools.some((tool) => tool['type'] === 'file_search');
  const found = searches ? search(documents, questions) : [];
  const full = searches ? quote(found) : { text: withoutDocuments(history), annotations: [] };
  const limit = (request.maxOutputTokens ?? Infinity) * charactersPerToken;
  const incompleteReason = incompleteReasonOf(record, full.text.length > limit);
  const text = incompleteReason
    ? full.text.slice(0, Math.min(limit, Math.ceil(full.text.length / 2)))
    : full.text;
  const annotations = full.annotations.filter((annotation) => annotation.index <= text.length);
  const message = toMessage(text, annotations, incompleteReason ? 'incomplete' : 'completed');
  return {
    output: searches ? [toSearchCall(questions.at(-1) ?? '', found), message] : [message],
    usage: toUsage(read, request.instructions, found, text),
    incompleteReason,
  };
}

/** Returns the texts of the newest questions, oldest first. */
function lastQuestions(items: readonly Item[]): string[] {
  const questions: string[] = [];
  for (let index = items.length - 1; index >= 0 && questions.length < searchedQuestions; index -= 1) {
    const item = items[index];
    if (item?.type === 'message' && item.role === 'user') questions.push(textOf(item));
  }
  return questions.reverse();
}

/** Searches for the last question. For one like "And in more detail?" that has no match, adds earlier questions. */
function search(documents: DocumentIndex, questions: readonly string[]): Match[] {
  for (let count = 1; count <= questions.length; count += 1) {
    const matches = documents(questions.slice(-count).toReversed().join('\n'));
    if (matches.length > 0)
      return matches.filter((match) => match.score >= lowestScore).slice(0, quotedSections);
  }
  return [];
}

function toOutputItem(item: OrderedItem): OutputItem {
  const { type } = item;
  switch (type) {
    case 'message': {
      const phase = item.phase && { phase: item.phase };
      const content = item.content.map(toPart);
      return { id: newId('msg'), type, status: 'completed', content, ...phase, role: 'assistant' };
    }
    case 'reasoning': {
      const { summary = [], content } = item;
      return {
        id: newId('rs'),
        type,
        summary: summary.map((text) => ({ type: 'summary_text', text })),
        ...(content && { content: content.map((text) => ({ type: 'reasoning_text', text })) }),
      };
    }
    case 'function_call': {
      const { name, arguments: text } = item;
      return { id: newId('fc'), type, status: 'completed', arguments: text, call_id: newId('call'), name };
    }
    case 'mcp_approval_request': {
      const { server_label, name, arguments: text } = item;
      return { id: newId('mcpr'), type, arguments: text, name, server_label };
    }
  }
}

function toPart(part: OrderedPart): ResponseOutputMessage['content'][number] {
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.refusal };
  return { type: 'output_text', annotations: [], logprobs: [], text: part.text };
}

function writtenText(item: OutputItem): string {
  if ('arguments' in item) return item.arguments;
  if (item.type === 'message')
    return item.content.map((part) => ('text' in part ? part.text : part.refusal)).join('');
  return '';
}

function quote(matches: readonly Match[]) {
  if (matches.length === 0) {
    const text = `${introduction} I searched the project's documents and found nothing about this question.`;
    return { text, annotations: [] };
  }
  let text = `${introduction} The project's documents say:`;
  const annotations: ResponseOutputText.FileCitation[] = [];
  for (const { filename, heading, text: section } of matches) {
    text += `\n\n**${heading}** (\`${filename}\`)\n\n${section.replace(/^/gm, '> ').replace(/^> $/gm, '>')}`;
    annotations.push({ type: 'file_citation', file_id: fileIdOf(filename), filename, index: text.length });
  }
  return { text, annotations };
}

function withoutDocuments(history: readonly Item[]): string {
  const count = history.filter((item) => item.type === 'message').length;
  const messages = count === 1 ? 'is 1 earlier message' : `are ${count} earlier messages`;
  return `${introduction} It has no documents to search. There ${messages} in this conversation.`;
}

function incompleteReasonOf(record: ResponseRecord, isTooLong: boolean): IncompleteReason | null {
  if (record.outcome?.status === 'incomplete') return record.outcome.reason;
  return isTooLong ? 'max_output_tokens' : null;
}

function toMessage(
  text: string,
  annotations: ResponseOutputText.FileCitation[],
  status: 'completed' | 'incomplete',
): OutputItem {
  const content: ResponseOutputText[] = [{ type: 'output_text', text, annotations, logprobs: [] }];
  return { id: newId('msg'), type: 'message', status, role: 'assistant', content };
}

function toSearchCall(question: string, matches: readonly Match[]): OutputItem {
  const results = matches.map(({ filename, score, text }) => {
    return { file_id: fileIdOf(filename), filename, score, text, attributes: {} };
  });
  return { id: newId('fs'), type: 'file_search_call', status: 'completed', queries: [question], results };
}

function toUsage(read: readonly Item[], instructions: string | null, found: readonly Match[], text: string) {
  const texts = [instructions ?? '', ...found.map((match) => match.text)];
  const input_tokens =
    read.reduce((sum, item) => sum + tokensOf(item), 0) +
    texts.reduce((sum, { length }) => sum + Math.ceil(length / charactersPerToken), 0);
  const output_tokens = Math.ceil(text.length / charactersPerToken);
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
