import type { EngineEvent } from '../engine/engine.ts';
import type { OutputStep } from '../model/runState.ts';
import { type EngineStep, type Step, toStep } from '../model/step.ts';

/** A change of what a run puts out: a message starts, grows or ends, or another step starts or finishes. */
export type OutputChange =
  | {
      readonly type: 'message.start' | 'message.end';
      readonly messageId: string;
      readonly commentary: boolean;
    }
  | {
      readonly type: 'delta';
      readonly messageId: string;
      /** Whether the message is commentary on the work in progress, not part of the reply. */
      readonly commentary: boolean;
      readonly refusal: boolean;
      readonly text: string;
    }
  | { readonly type: 'step'; readonly change: 'started' | 'finished'; readonly step: Step };

type Delta = NonNullable<EngineEvent['delta']>;

interface StepSoFar {
  readonly itemId: string;
  /** Undefined for a step that is no message. */
  readonly message?: { readonly messageId: string; readonly commentary: boolean };
  text: string;
  part: number;
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
    const started = { itemId, ...(message && { message }), text: '', part: 0, isFinished: false };
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
    if (started.message) return this.#add({ type: 'message.end', ...started.message });
    const step = toStep(await this.#findConversationId(), engineStep);
    this.#add({ type: 'step', change: 'finished', step });
  }

  /** Appends text of a part of a message. Parts are separated by line breaks, as in the thread. */
  async append({ itemId, part, text, refusal }: Delta): Promise<void> {
    if (text === '') return;
    const details = { type: 'message', commentary: false } as const;
    const step = await this.start({ itemId, status: 'in_progress', details });
    const separator = part !== step.part && step.text !== '' ? '\n' : '';
    step.part = part;
    this.#extend(step, separator + text, refusal);
  }

  /** Adds what the stream of a round did not deliver. */
  async complete(output: readonly OutputStep[]): Promise<void> {
    for (const { step, parts } of output) {
      const started = await this.start(step);
      const whole = parts.map(({ text }) => text).join('\n');
      let end = 0;
      for (const [index, { text, refusal }] of parts.entries()) {
        end += (index > 0 ? 1 : 0) + text.length;
        const sent = started.text.length;
        if (sent < end && whole.startsWith(started.text))
          this.#extend(started, whole.slice(sent, end), refusal);
      }
      await this.finish(step);
    }
  }

  #extend(step: StepSoFar, text: string, refusal: boolean): void {
    if (!step.message) return;
    step.text += text;
    this.#add({ type: 'delta', ...step.message, refusal, text });
  }
}

/** Returns a step as it starts, whether it was seen then or only at its end. */
const toStarted = (step: Step): Step => ({ ...step, status: 'in_progress' });
