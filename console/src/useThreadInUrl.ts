import { useCallback, useSyncExternalStore } from 'react';

const read = (): string | undefined => /^#(thread_\w+)$/.exec(location.hash)?.[1];

function subscribe(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

/** Keeps the open thread in the fragment of the URL, for reloads, bookmarks and the back button. */
export function useThreadInUrl() {
  const threadId = useSyncExternalStore(subscribe, read);
  const open = useCallback((id: string | undefined) => {
    location.hash = id ?? '';
  }, []);
  return [threadId, open] as const;
}
