import type { Step } from '@thread-run-service/client';
import type { ThreadMessage, ThreadStatus } from '@thread-run-service/client/react';

interface Props {
  readonly status: ThreadStatus;
  readonly steps: readonly Step[];
  readonly messages: readonly ThreadMessage[];
}

const words: Readonly<Partial<Record<ThreadStatus, string>>> = {
  submitting: 'Sending',
  queued: 'Queued',
  in_progress: 'Working',
};

const stepWords: Readonly<Partial<Record<Step['type'], string>>> = {
  file_search: 'Searching the documents',
  web_search: 'Searching the web',
  code_interpreter: 'Running code',
  mcp_call: 'Calling a tool',
};

/** What the assistant does before there is text to show. */
export function Progress({ status, steps, messages }: Props) {
  const word = words[status];
  if (word === undefined || messages.at(-1)?.status === 'streaming') return null;
  const step = steps.findLast((one) => one.status === 'in_progress');
  return (
    <p className="progress" aria-hidden="true">
      <span className="dots">
        <i />
        <i />
        <i />
      </span>
      {(step && stepWords[step.type]) ?? word}
    </p>
  );
}
