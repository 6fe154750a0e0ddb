import { useState } from 'react';
import { shortId } from './format.ts';
import { CheckIcon, CopyIcon } from './icons.tsx';

/** Copies a text, and says so for a moment. */
function useCopy(): readonly [boolean, (text: string) => void] {
  const [isCopied, setCopied] = useState(false);
  const copy = (text: string) => {
    void navigator.clipboard.writeText(text).then(
      () => {
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      },
      // Without the permission, the text can still be selected.
      () => undefined,
    );
  };
  return [isCopied, copy];
}

/** An id that a click copies as a whole. */
export function CopyId({ id, label }: { readonly id: string; readonly label: string }) {
  const [isCopied, copy] = useCopy();
  return (
    <button type="button" className="copy-id" title={`Copy ${id}`} onClick={() => copy(id)}>
      <span className="copy-label">{label}</span>
      <code>{shortId(id)}</code>
      {isCopied ? <CheckIcon /> : <CopyIcon />}
      <span className="visually-hidden">{isCopied ? 'Copied' : 'Copy'}</span>
    </button>
  );
}

/** A button that copies a longer text. */
export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [isCopied, copy] = useCopy();
  return (
    <button type="button" className="small" onClick={() => copy(text)}>
      {isCopied ? <CheckIcon /> : <CopyIcon />}
      {isCopied ? 'Copied' : label}
    </button>
  );
}
