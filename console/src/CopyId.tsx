import { useState } from 'react';
import { announce } from './announce.ts';
import { shortId } from './format.ts';
import { CheckIcon, CopyIcon } from './icons.tsx';

/** Copies a text, and says so for a moment. */
function useCopy(): readonly [boolean, (text: string) => void] {
  const [isCopied, setCopied] = useState(false);
  const copy = async (text: string) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without the permission, or without a clipboard because the page came by plain HTTP, the text can be selected.
      return;
    }
    setCopied(true);
    announce('Copied');
    setTimeout(() => setCopied(false), 1500);
  };
  return [isCopied, (text) => void copy(text)];
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

interface CopyButtonProps {
  /** The text, or how to make it when it is wanted. */
  readonly text: string | (() => string);
  readonly label: string;
  /** What it copies, where the label alone does not say so. */
  readonly what?: string;
}

/** A button that copies a longer text. */
export function CopyButton({ text, label, what }: CopyButtonProps) {
  const [isCopied, copy] = useCopy();
  return (
    <button type="button" className="small" onClick={() => copy(typeof text === 'string' ? text : text())}>
      {isCopied ? <CheckIcon /> : <CopyIcon />}
      {isCopied ? 'Copied' : label}
      {what && <span className="visually-hidden"> {what}</span>}
    </button>
  );
}
