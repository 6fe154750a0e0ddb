import { type ReactNode, useEffect, useId, useRef } from 'react';
import { IconButton } from './IconButton.tsx';
import { CloseIcon } from './icons.tsx';

interface Props {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly isWide?: boolean;
  /** Selector of what gets the focus when what had it before is gone, as after a deletion. */
  readonly elsewhere?: string;
}

/** A modal dialog; `data-first` marks what gets the focus. The browser's own keeps the focus inside, closes on Escape and gives the focus back. */
export function Dialog({ title, onClose, children, isWide = false, elsewhere }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const fallback = useRef(elsewhere);
  /** Whether the mouse was pressed beside it: selecting a text that ends there is a click, too. */
  const isPressedBeside = useRef(false);
  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    element?.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => {
      element?.close();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      else if (fallback.current) document.querySelector<HTMLElement>(fallback.current)?.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape and the button close it by keyboard.
    <dialog
      ref={dialog}
      className={isWide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onCancel={(event) => {
        // React passes on those of dialogs inside, and a choice of files that is given up has one, too.
        if (event.target !== dialog.current) return;
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        isPressedBeside.current = event.target === dialog.current;
      }}
      onClick={(event) => isPressedBeside.current && event.target === dialog.current && onClose()}
    >
      <div className="dialog-body">
        <header>
          <h2 id={titleId}>{title}</h2>
          <IconButton label="Close" onClick={onClose}>
            <CloseIcon />
          </IconButton>
        </header>
        {children}
        <p className="announcer visually-hidden" role="status" />
      </div>
    </dialog>
  );
}
