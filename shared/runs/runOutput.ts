import type { EngineEvent } from '../engine/engine.ts';
import type { Annotation, ContainerFile } from '../model/message.ts';
import type { OutputStep } from '../model/runState.ts';
import { type EngineStep, type NamedByStep, type Step, toStep } from '../model/step.ts';

/** A change of what a run puts out: a message starts, grows or ends, or another step starts or finishes. */
export type OutputChange =
  | {
      readonly type: 'message.start';
      readonly messageId: string;
      readonly commentary: boolean;
    }
  | {
      readonly type: 'message.end';
      readonly messageId: string;
      readonly commentary: boolean;
      /** Whether the message was cut off, as its run ends then. */
      readonly isCutOff: boolean;
    }
  | {
      readonly type: 'delta';
      readonly messageId: string;
      /** Whether the message is commentary on the work in progress, not part of the reply. */
      readonly commentary: boolean;
      readonly refusal: boolean;
      readonly text: string;
    }
  | {
      readonly type: 'step';
      readonly change: 'started' | 'finished';
      readonly step: Step;
      readonly named?: NamedByStep | undefined;
    }
  /** A source or a product of the text so far. Its ids are the engine's. */
  | {
      readonly type: 'annotation';
      readonly messageId: string;
      readonly annotation: Annotation<ContainerFile>;
    };

type Delta = NonNullable<EngineEvent['delta']>;
type AnnotationEvent = NonNullable<EngineEvent['annotation']>;

interface StepSoFar {
  readonly itemId: string;
  /** Undefined for a step that is no message. */
  readonly message?: { readonly messageId: string; readonly commentary: boolean };
  text: string;
  part: number;
  /** Offset of the part in the text. */
  partStart: number;
  readonly annotations: Annotation<ContainerFile>[];
  isFinished: boolean;
}

/** Assembles the output of a run from events and, at the end of a round, from the whole. Each change comes once. */
export class RunOutput {
  readonly #steps = new Map<string, StepSoFar>();
  readonly #findConversationId: () => Promise<string>;
  readonly #add: (change: OutputChange) => void;

  /**
   * @param findConversationId finds the id from which ids for clients are derived.
   * @param add is called with each change, in order.
   */
  constructor(findConversationId: () => Promise<string>, add: (change: OutputChange) => void) {
    this.#findConversationId = findConversationId;
    this.#add = add;
  }

  /** Starts a step. */
  async start(engineStep: EngineStep): Promise<StepSoFar> {
    const { itemId, details } = engineStep;
    const known = this.#steps.get(itemId);
    if (known) return known;
    const step = toStep(await this.#findConversationId(), engineStep);
    const { messageId = '' } = step;
    const message = details.type === 'message' ? { messageId, commentary: details.commentary } : undefined;
    const started = {
      ...{ itemId, ...(message && { message }), text: '' },
      ...{ part: 0, partStart: 0, annotations: [], isFinished: false },
    };
    this.#steps.set(itemId, started);
    this.#add(
      message
        ? { type: 'message.start', ...message }
        : { type: 'step', change: 'started', step: toStarted(step) },
    );
    return started;
  }

  /** Finishes a step. */
  async finish(engineStep: EngineStep): Promise<void> {
    const started = await this.start(engineStep);
    if (started.isFinished) return;
    started.isFinished = true;
    if (started.message) {
      // Those that the stream did not bring.
      for (const annotation of missingIn(started, engineStep)) this.#annotate(started, annotation);
      const isCutOff = engineStep.status === 'incomplete';
      return this.#add({ type: 'message.end', ...started.message, isCutOff });
    }
    const step = toStep(await this.#findConversationId(), engineStep);
    this.#add({ type: 'step', change: 'finished', step, named: engineStep.named });
  }

  /** Appends text of a part of a message. Parts are separated by line breaks, as in the thread. */
  async append({ itemId, part, text, refusal }: Delta): Promise<void> {
    if (text === '') return;
    const details = { type: 'message', commentary: false } as const;
    const step = await this.start({ itemId, status: 'in_progress', details });
    const separator = part !== step.part && step.text !== '' ? '\n' : '';
    if (part !== step.part) step.partStart = step.text.length + separator.length;
    step.part = part;
    this.#extend(step, separator + text, refusal);
  }

  /** Adds an annotation of the part that is being written. */
  annotate({ itemId, part, annotation }: AnnotationEvent): void {
    const step = this.#steps.get(itemId);
    // An earlier part's comes at the end of the message.
    if (step && part === step.part) this.#annotate(step, shifted(annotation, step.partStart));
  }

  /** Adds what the stream of a round did not deliver. */
  async complete(output: readonly OutputStep[]): Promise<void> {
    for (const { step, parts } of output) {
      const started = await this.start(step);
      const whole = parts.map(({ text }) => text).join('\n');
      let end = 0;
      for (const [index, { text, refusal }] of parts.entries()) {
        end += (index > 0 ? 1 : 0) + text.length;
        if (!whole.startsWith(started.text)) break;
        for (const annotation of missingIn(started, step)) {
          const place = endOf(annotation);
          if (place < started.text.length || place > end) break;
          this.#extend(started, whole.slice(started.text.length, place), refusal);
          this.#annotate(started, annotation);
        }
        this.#extend(started, whole.slice(started.text.length, end), refusal);
      }
      await this.finish(step);
    }
  }

  #extend(step: StepSoFar, text: string, refusal: boolean): void {
    if (!step.message || text === '') return;
    step.text += text;
    this.#add({ type: 'delta', ...step.message, refusal, text });
  }

  #annotate(step: StepSoFar, annotation: Annotation<ContainerFile>): void {
    if (!step.message) return;
    step.annotations.push(annotation);
    this.#add({ type: 'annotation', messageId: step.message.messageId, annotation });
  }
}

/** Returns the annotations of a finished message that have not been added yet, whichever the stream brought. */
function missingIn({ annotations }: StepSoFar, { named }: EngineStep): Annotation<ContainerFile>[] {
  let added = [...annotations];
  let missing = named?.annotations ?? [];
  for (const keyOf of [JSON.stringify, sourceOf]) {
    const keys = added.map((one) => keyOf(one));
    missing = missing.filter((annotation) => {
      const position = keys.indexOf(keyOf(annotation));
      if (position === -1) return true;
      keys.splice(position, 1);
      added = added.toSpliced(position, 1);
      return false;
    });
  }
  return [...missing];
}

/** Returns what an annotation names. Where it belongs may be told differently while the text grows. */
function sourceOf(annotation: Annotation<ContainerFile>): string {
  switch (annotation.type) {
    case 'file_citation':
      return annotation.citedFileId;
    case 'url_citation':
      return annotation.url;
    case 'generated_file':
      return annotation.fileId.fileId;
  }
}

/** Returns where the text of an annotation ends. */
const endOf = (annotation: Annotation<ContainerFile>): number =>
  annotation.type === 'file_citation' ? annotation.index : annotation.endIndex;

/** Moves an annotation of a part to the text of all parts. */
const shifted = (annotation: Annotation<ContainerFile>, by: number): Annotation<ContainerFile> =>
  annotation.type === 'file_citation'
    ? { ...annotation, index: annotation.index + by }
    : { ...annotation, startIndex: annotation.startIndex + by, endIndex: annotation.endIndex + by };

/** Returns a step as it starts, whether it was seen then or only at its end. */
const toStarted = (step: Step): Step => ({ ...step, status: 'in_progress' });
