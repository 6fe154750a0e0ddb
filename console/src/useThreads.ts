import type { Client, ThreadPage, ThreadSummary } from '@thread-run-service/client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { excerpt } from './format.ts';
import { useReturn } from './useReturn.ts';

const pageSize = 20;

/** A pair of a thread's metadata. */
export interface Label {
  readonly key: string;
  readonly value: string;
}

export interface ThreadList {
  readonly threads: readonly ThreadSummary[];
  /** Metadata `title`, else the beginning of the first message, by thread id; empty for a thread without messages. */
  readonly titles: Readonly<Record<string, string>>;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: unknown;
  /** Only threads with this label are listed. */
  readonly label: Label | undefined;
  setLabel(label: Label | undefined): void;
  loadMore(): void;
  /** Reads the newest threads again. */
  reload(): void;
  setTitle(threadId: string, title: string): void;
  /** Deletes a thread. @throws {ApiError} */
  remove(threadId: string): Promise<void>;
}

/** Lists the project's threads, a page at a time, and finds titles for them. */
export function useThreads(client: Client): ThreadList {
  const [threads, setThreads] = useState<readonly ThreadSummary[]>([]);
  const [titles, setTitles] = useState<Readonly<Record<string, string>>>({});
  const [after, setAfter] = useState<string>();
  const [isLoading, setLoading] = useState(true);
  const [error, setError] = useState<unknown>();
  const [label, setLabel] = useState<Label>();

  const load = useCallback(
    async (from: string | undefined, signal: AbortSignal) => {
      setLoading(true);
      try {
        const page = await readPage(client, label, from, signal);
        if (signal.aborted) return;
        setThreads((known) => (from === undefined ? merge(page.threads, known) : merge(known, page.threads)));
        // The newest page, read again, says nothing about what was loaded after it.
        const next = page.hasMore ? (page.lastId ?? undefined) : undefined;
        setAfter((known) => (from === undefined ? (known ?? next) : next));
        setError(undefined);
      } catch (failure) {
        if (!signal.aborted) setError(failure);
      } finally {
        if (!signal.aborted) setLoading(false);
      }
    },
    [client, label],
  );

  const controller = useRef(new AbortController());
  useEffect(() => {
    controller.current = new AbortController();
    setThreads([]);
    setAfter(undefined);
    void load(undefined, controller.current.signal);
    return () => controller.current.abort();
  }, [load]);

  const reload = useCallback(() => void load(undefined, controller.current.signal), [load]);
  useReturn(reload);

  const setTitle = useCallback((threadId: string, title: string) => {
    setTitles((known) => (known[threadId] === title ? known : { ...known, [threadId]: title }));
  }, []);
  useTitles(client, threads, titles, setTitle);

  return {
    threads,
    titles,
    hasMore: after !== undefined,
    isLoading,
    error,
    label,
    setLabel,
    loadMore: () => void load(after, controller.current.signal),
    reload,
    setTitle,
    async remove(threadId) {
      await client.threads.delete(threadId);
      setThreads((known) => known.filter((thread) => thread.threadId !== threadId));
    },
  };
}

/** Reads a page. With a label, one can be empty although more follow: the service searches some hundred threads at a time. */
async function readPage(
  client: Client,
  label: Label | undefined,
  from: string | undefined,
  signal: AbortSignal,
): Promise<ThreadPage> {
  let after = from;
  while (true) {
    const page = await client.threads.list(
      {
        limit: pageSize,
        ...(after !== undefined && { after }),
        ...(label && { metadata: { [label.key]: label.value } }),
      },
      { signal },
    );
    if (page.threads.length > 0 || !page.hasMore || page.lastId === null) return page;
    after = page.lastId;
  }
}

/** Finds the titles that are missing, one after the other: the list itself has no messages. */
function useTitles(
  client: Client,
  threads: readonly ThreadSummary[],
  titles: Readonly<Record<string, string>>,
  setTitle: (threadId: string, title: string) => void,
): void {
  const untitled = threads.find(({ threadId }) => titles[threadId] === undefined);
  useEffect(() => {
    if (!untitled) return;
    const { threadId, metadata } = untitled;
    const label = metadata?.['title'];
    if (label !== undefined) return setTitle(threadId, excerpt(label));
    const controller = new AbortController();
    client.threads.get(threadId, { limit: 1 }, { signal: controller.signal }).then(
      ({ messages }) => setTitle(threadId, excerpt(messages[0]?.content ?? '')),
      () => !controller.signal.aborted && setTitle(threadId, ''),
    );
    return () => controller.abort();
  }, [client, untitled, setTitle]);
}

function merge(first: readonly ThreadSummary[], second: readonly ThreadSummary[]): readonly ThreadSummary[] {
  const known = new Set(first.map(({ threadId }) => threadId));
  return [...first, ...second.filter(({ threadId }) => !known.has(threadId))];
}
