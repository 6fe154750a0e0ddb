import { useState } from 'react';
import { announce } from './announce.ts';
import { Dialog } from './Dialog.tsx';
import { ErrorNote } from './ErrorNote.tsx';

interface Props {
  readonly kind: 'thread' | 'document';
  readonly name: string;
  /** What is lost. */
  readonly consequence: string;
  /** Selector of what gets the focus afterwards. */
  readonly elsewhere: string;
  readonly onClose: () => void;
  readonly onDelete: () => Promise<void>;
}

/** Asks before something is deleted for everyone. */
export function DeleteDialog({ kind, name, consequence, elsewhere, onClose, onDelete }: Props) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onDelete();
      announce(`Deleted ${name}`);
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Delete this ${kind}?`} onClose={onClose} elsewhere={elsewhere}>
      <p>
        <strong dir="auto">{name}</strong>
      </p>
      <p className="muted">{consequence}</p>
      {error !== undefined && <ErrorNote error={error} />}
      <footer>
        <button type="button" data-first onClick={onClose}>
          Keep it
        </button>
        <button
          type="button"
          className="danger"
          aria-disabled={isBusy}
          onClick={() => void (isBusy || remove())}
        >
          {isBusy ? 'Deleting…' : 'Delete'}
        </button>
      </footer>
    </Dialog>
  );
}
