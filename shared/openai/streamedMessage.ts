import type OpenAI from 'openai';
import type { Annotation } from '../model/message.ts';
import type { Run } from '../model/run.ts';
import {
  imagesIn,
  type Marker,
  rangeOf,
  toCitation,
  toMarker,
  toPath,
  toReplyContent,
  toValueRange,
} from './annotations.ts';
import { toGeneratedFileId } from './fileId.ts';
import { toUnixSeconds, type WireAnnotation, type WireEvent, type WireMessage } from './wire.ts';

type IncompleteReason = NonNullable<WireMessage['incomplete_details']>['reason'];

/** Why a message is incomplete, by what ended its run. */
const byEnding = {
  failed: 'run_failed',
  cancelled: 'run_cancelled',
  expired: 'run_expired',
} as const;

const byErrorCode: Readonly<Partial<Record<NonNullable<Run['errorCode']>, IncompleteReason>>> = {
  max_output_tokens: 'max_tokens',
  content_filter: 'content_filter',
};

/** A message that a run writes, as its events show it. */
export class StreamedMessage {
  readonly id: string;
  readonly #message: WireMessage;
  #text = '';
  /** What was sent: the text with its markers. */
  #sent = '';
  readonly #markers: Marker[] = [];
  #annotated = 0;
  readonly #annotations: Annotation[] = [];

  constructor({ assistantId, threadId, runId }: Run, id: string) {
    this.id = id;
    this.#message = {
      id,
      object: 'thread.message',
      created_at: toUnixSeconds(new Date()),
      assistant_id: assistantId,
      thread_id: threadId,
      run_id: runId,
      role: 'assistant',
      status: 'in_progress',
      incomplete_details: null,
      incomplete_at: null,
      completed_at: null,
      content: [],
      attachments: [],
      metadata: {},
    };
  }

  *begin(): Generator<WireEvent> {
    yield { event: 'thread.message.created', data: this.#message };
    yield { event: 'thread.message.in_progress', data: this.#message };
  }

  append(text: string): WireEvent {
    this.#text += text;
    return this.#send(text, []);
  }

  /**
   * Adds an annotation of the text so far: the path in it, or a marker at its end. That is where engines announce a citation;
   * what was sent cannot be changed, so the marker of one that they announce later is further back than in the message.
   */
  *annotate(annotation: Annotation): Generator<WireEvent> {
    this.#annotations.push(annotation);
    if (annotation.type === 'file_citation') {
      const marker = toMarker(this.#markers.length);
      const start = this.#sent.length;
      this.#markers.push({ at: this.#text.length, marker });
      yield this.#send(marker, [toCitation(annotation.citedFileId, marker, start)]);
    }
    const range = annotation.type === 'generated_file' && rangeOf(this.#text, annotation);
    if (range) {
      const fileId = toGeneratedFileId(this.#message.thread_id, annotation.fileId);
      const { start, end } = toValueRange(range, this.#markers);
      yield this.#send('', [toPath(fileId, this.#sent.slice(start, end), start)]);
    }
  }

  #send(value: string, annotations: readonly WireAnnotation[]): WireEvent {
    this.#sent += value;
    const indexed = annotations.map((annotation) => ({ index: this.#annotated++, ...annotation }));
    const content = [{ index: 0, type: 'text' as const, text: { value, annotations: indexed } }];
    return this.#toDelta(content);
  }

  #toDelta(content: OpenAI.Beta.Threads.MessageContentDelta[]): WireEvent {
    return {
      event: 'thread.message.delta',
      data: { id: this.id, object: 'thread.message.delta', delta: { content } },
    };
  }

  /** Ends the message: with its images, which follow its text. */
  *end(ending: 'completed' | keyof typeof byEnding, errorCode?: Run['errorCode']): Generator<WireEvent> {
    const now = toUnixSeconds(new Date());
    const { thread_id: threadId } = this.#message;
    const { content, attachments } = toReplyContent(threadId, this.#text, this.#annotations);
    const images = imagesIn(threadId, this.#annotations);
    const first = content.length - images.length;
    for (const [index, image] of images.entries()) yield this.#toDelta([{ index: first + index, ...image }]);
    if (ending === 'completed') {
      return yield {
        event: 'thread.message.completed',
        data: { ...this.#message, status: 'completed', completed_at: now, content, attachments },
      };
    }
    const reason = (errorCode && byErrorCode[errorCode]) ?? byEnding[ending];
    yield {
      event: 'thread.message.incomplete',
      data: {
        ...this.#message,
        status: 'incomplete',
        incomplete_at: now,
        incomplete_details: { reason },
        ...{ content, attachments },
      },
    };
  }
}
