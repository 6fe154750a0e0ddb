import type { Annotation } from '../model/message.ts';
import { openMessageId } from '../model/messageId.ts';
import type { Run } from '../model/run.ts';
import { sealId } from '../model/sealedId.ts';
import type { SealedByStep, Step } from '../model/step.ts';
import type { FeedEntry } from '../runs/feedEntry.ts';
import { toStepDetails, toToolCall, toToolCallDeltas, toWireStep } from './stepObject.ts';
import { StreamedMessage } from './streamedMessage.ts';
import type { WireEvent, WireStep, WireToolCall } from './wire.ts';

/** A change of a run's output. */
export type OutputEntry = Exclude<FeedEntry, { readonly type: 'run' | 'annotation' }>;

/** The step of the events so far that has not ended. */
interface OpenStep {
  step: WireStep;
  /** Present if the step creates a message. */
  readonly message?: StreamedMessage;
  /** Whether the step consists of functions for the client. */
  readonly isFunctions: boolean;
}

/** How a step ends with its run. */
const endings = {
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
  expired: 'expired',
} as const;

/**
 * Turns the output of a run into the events of its steps and messages. At most one step is open at a time, as clients
 * expect: text that arrives for an earlier message is left to the thread.
 */
export class StreamedOutput {
  readonly #run: Run;
  readonly #conversationId: string;
  readonly #begun = new Set<string>();
  #open: OpenStep | undefined;

  constructor(run: Run, conversationId: string) {
    this.#run = run;
    this.#conversationId = conversationId;
  }

  /** @param sealed what a step names. */
  *add(entry: OutputEntry, sealed?: SealedByStep): Generator<WireEvent> {
    switch (entry.type) {
      case 'message.start':
        return yield* this.#beginMessage(entry.messageId);
      case 'delta':
        yield* this.#beginMessage(entry.messageId);
        if (this.#open?.message?.id === entry.messageId) yield this.#open.message.append(entry.text);
        return;
      case 'message.end':
        // One that was cut off ends with its run, which tells why.
        if (this.#open?.message?.id === entry.messageId && !entry.isCutOff) yield* this.#close('completed');
        return;
      case 'step':
        return yield* entry.change === 'started'
          ? this.#startCall(entry.step)
          : this.#finishCall(entry.step, sealed);
    }
  }

  /** Adds an annotation to the open message. */
  *annotate(messageId: string, annotation: Annotation): Generator<WireEvent> {
    if (this.#open?.message?.id === messageId) yield* this.#open.message.annotate(annotation);
  }

  /** Ends the open step, if any, as its run has ended. */
  *end({ status, errorCode }: Run): Generator<WireEvent> {
    const ending = endings[status as keyof typeof endings];
    yield* this.#close(ending, errorCode);
  }

  *#beginMessage(messageId: string): Generator<WireEvent> {
    if (this.#begun.has(messageId)) return;
    this.#begun.add(messageId);
    const itemId = openMessageId(this.#conversationId, messageId) ?? messageId;
    const step: Step = {
      stepId: sealId(this.#conversationId, 'step', itemId),
      status: 'in_progress',
      messageId,
      ...{ type: 'message', commentary: false },
    };
    const message = new StreamedMessage(this.#run, messageId);
    yield* this.#begin(step, { message, isFunctions: false });
    yield* message.begin();
  }

  *#startCall(step: Step): Generator<WireEvent> {
    // The functions that the model calls together are one step; a step that overlaps another appears at its end.
    if (this.#open || this.#begun.has(step.stepId) || !toToolCall(step, this.#run.threadId)) return;
    yield* this.#beginCall(step);
  }

  *#finishCall(step: Step, sealed: SealedByStep | undefined): Generator<WireEvent> {
    const call = toToolCall(step, this.#run.threadId, sealed);
    if (!call) return;
    const isFunction = step.type === 'function';
    const isOpen = this.#open?.step.id === step.stepId || (isFunction && this.#open?.isFunctions);
    if (!isOpen) {
      if (this.#begun.has(step.stepId)) return;
      yield* this.#beginCall(step);
    }
    yield* this.#addCall(call);
    if (!isFunction) yield* this.#close('completed');
  }

  *#beginCall(step: Step): Generator<WireEvent> {
    this.#begun.add(step.stepId);
    yield* this.#begin(step, { isFunctions: step.type === 'function' });
  }

  *#begin(step: Step, open: Omit<OpenStep, 'step'>): Generator<WireEvent> {
    yield* this.#close('completed');
    const timed = {
      step: { ...step, status: 'in_progress' as const },
      startedAt: new Date(),
      endedAt: undefined,
    };
    const data = toWireStep(this.#run, timed, toStepDetails(step, []));
    this.#open = { step: data, ...open };
    yield { event: 'thread.run.step.created', data };
    yield { event: 'thread.run.step.in_progress', data };
  }

  *#addCall(call: WireToolCall): Generator<WireEvent> {
    const open = this.#open;
    if (open?.step.step_details.type !== 'tool_calls') return;
    const { tool_calls } = open.step.step_details;
    open.step = {
      ...open.step,
      step_details: { type: 'tool_calls', tool_calls: [...tool_calls, call] },
    };
    for (const delta of toToolCallDeltas(call, tool_calls.length)) {
      const step_details = { type: 'tool_calls' as const, tool_calls: [delta] };
      yield {
        event: 'thread.run.step.delta',
        data: { id: open.step.id, object: 'thread.run.step.delta', delta: { step_details } },
      };
    }
  }

  *#close(ending: keyof typeof endings, errorCode?: Run['errorCode']): Generator<WireEvent> {
    if (!this.#open) return;
    const { step, message } = this.#open;
    this.#open = undefined;
    if (message) yield* message.end(ending, errorCode);
    const now = Math.floor(Date.now() / 1000);
    const data: WireStep = { ...step, status: ending, [`${ending}_at`]: now };
    yield { event: `thread.run.step.${ending}`, data };
  }
}
