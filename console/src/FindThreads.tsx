import { type FormEvent, useId, useState } from 'react';
import type { Label } from './useThreads.ts';

interface Props {
  readonly onOpen: (threadId: string) => void;
  /** Undefined to list all threads. */
  readonly onLabel: (label: Label | undefined) => void;
}

/** Opens a thread by its id, or lists those with a label. */
export function FindThreads({ onOpen, onLabel }: Props) {
  const [text, setText] = useState('');
  const [isUnclear, setUnclear] = useState(false);
  const hint = useId();
  const change = (next: string) => {
    setText(next);
    setUnclear(false);
    if (next === '') onLabel(undefined);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = text.trim();
    const [, key, value] = /^([^=]+)=(.+)$/s.exec(wanted) ?? [];
    if (/^thread_\w+$/.test(wanted)) {
      change('');
      onOpen(wanted);
    } else if (key !== undefined && value !== undefined) onLabel({ key: key.trim(), value: value.trim() });
    else setUnclear(wanted !== '');
  };
  return (
    <search>
      <form onSubmit={submit}>
        <input
          type="search"
          aria-label="Find threads"
          aria-describedby={hint}
          aria-invalid={isUnclear}
          placeholder="Thread id, or label=value"
          autoCapitalize="none"
          spellCheck={false}
          enterKeyHint="search"
          value={text}
          onChange={(event) => change(event.target.value)}
        />
        <p id={hint} role="status" className="hint">
          {isUnclear && 'Enter the id of a thread, or a label in its metadata, such as customer=4711.'}
        </p>
      </form>
    </search>
  );
}
