import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { Client, RunEvent } from '../src/index.ts';
import { type AnnouncementTexts, toAnnouncement } from './announcement.ts';
import { createThreadStore, getThreadStore, type ThreadActions, type ThreadSnapshot } from './threadStore.ts';

export interface UseThreadOptions {
  /** Create it once, not while rendering: threads belong to their client. */
  readonly client: Client;
  /** Null or missing for a new conversation, whose first message creates the thread. */
  readonly threadId?: string | null | undefined;
  /** Called when the first message has created the thread. Render with its id from then on; nothing is loaded again. */
  readonly onThreadCreated?: ((threadId: string) => void) | undefined;
  /** Called with each event of the run; with those from its beginning, when the thread is opened again. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Texts of `announcement` in another language. */
  readonly announcements?: Partial<AnnouncementTexts> | undefined;
}

export interface UseThread extends ThreadSnapshot, ThreadActions {
  /** What a screen reader should say: put it into an element with `role="status"`. */
  readonly announcement: string;
}

/**
 * Shows a thread and its replies as they are written, and posts messages to it. Components with the same client and thread
 * share one connection and show the same. Unmounting disconnects; the run goes on.
 */
export function useThread(options: UseThreadOptions): UseThread {
  const { client, threadId = null, announcements } = options;
  const store = useMemo(
    () => (threadId === null ? createThreadStore(client, null) : getThreadStore(client, threadId)),
    [client, threadId],
  );
  const snapshot = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);

  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => {
    const forgetEvents = store.onEvent((event) => latest.current.onEvent?.(event));
    const forgetCreated = store.onCreated((id) => latest.current.onThreadCreated?.(id));
    return () => {
      forgetEvents();
      forgetCreated();
    };
  }, [store]);

  return useMemo(
    () => ({
      ...snapshot,
      announcement: toAnnouncement(snapshot, announcements),
      submit: store.submit,
      cancel: store.cancel,
      respond: store.respond,
      retry: store.retry,
      discard: store.discard,
      refresh: store.refresh,
      loadEarlier: store.loadEarlier,
    }),
    [snapshot, store, announcements],
  );
}
