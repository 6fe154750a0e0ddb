import { useEffect, useRef } from 'react';

/**
 * Listens for keys that are pressed together with Alt.
 * @param act gets the key's `code`, because Alt makes another character of a key on some systems, and returns whether it
 * did something.
 */
export function useShortcuts(act: (code: string) => boolean): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!event.altKey || event.ctrlKey || event.metaKey) return;
      // A modal dialog keeps the keyboard to itself.
      if (document.querySelector('dialog[open]')) return;
      if (latest.current(event.code)) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}
