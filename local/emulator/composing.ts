import type { ResponseOutputMessage, ResponseOutputText } from 'openai/resources/responses/responses';
import type { Engine } from './engine.ts';
import type { CreateRequest, Item, OutputItem } from './types.ts';

/** What a reply is composed from. */
export interface Composing {
  engine: Engine;
  request: CreateRequest;
  /** The conversation before the input. */
  history: readonly Item[];
  /** Text of the newest user message that is not replied to, see `askedOf`; empty without one. */
  question: string;
}

/** An output in the making. */
export interface Draft {
  /** Items before the message. */
  items: OutputItem[];
  /** Text of the message; null for an output that ends with calls. */
  text: string | null;
  annotations: Annotation[];
  /** Texts read besides the conversation, which count as input tokens. */
  readTexts: string[];
}

export type Annotation = ResponseOutputText['annotations'][number];
export type MessageContent = ResponseOutputMessage['content'];

export function toDraft(text: string | null, more: Partial<Draft> = {}): Draft {
  return { items: [], annotations: [], readTexts: [], ...more, text };
}

/** Quotes a text in Markdown. */
export function toQuotation(text: string): string {
  return text.replace(/^/gm, '> ').replace(/^> $/gm, '>');
}

/** Moves annotations by a number of characters. */
export function moved(annotations: readonly Annotation[], by: number): Annotation[] {
  return annotations.map((annotation) =>
    'index' in annotation
      ? { ...annotation, index: annotation.index + by }
      : { ...annotation, start_index: annotation.start_index + by, end_index: annotation.end_index + by },
  );
}

/** Returns where the text that an annotation refers to ends. */
export function endOf(annotation: Annotation): number {
  return 'index' in annotation ? annotation.index : annotation.end_index;
}
