import type { Client, ThreadPage, ThreadSummary } from '@thread-run-service/client';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
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
  /** Sets the title of a thread, which its metadata overrides. */
  setTitle(threadId: string, title: string): void;
  /** Deletes a thread. @throws {ApiError} */
  remove(threadId: string): Promise<void>;
}

/**
 * Lists the project's threads, a page at a time, and finds titles for them.
 * @param shown the thread that is shown, which is listed even if its page has not been loaded.
 */
export function useThreads(client: Client, shown: string | undefined): ThreadList {
  const [threads, setThreads] = useState<readonly ThreadSummary[]>([]);
  /** Beginnings of first messages, by thread id. */
  const [beginnings, setBeginnings] = useState<Readonly<Record<string, string>>>({});
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
        setThreads((known) => merge(page.threads, known));
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
    setBeginnings((known) => (known[threadId] === title ? known : { ...known, [threadId]: title }));
  }, []);
  const titles = useMemo(() => ({ ...beginnings, ...titlesOf(threads) }), [beginnings, threads]);
  useTitles(client, threads, titles, setTitle);
  const isListed = threads.some(({ threadId }) => threadId === shown);
  useShown(client, isLoading || isListed || label ? undefined : shown, setThreads);

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

/** Returns the titles that metadata give, by thread id. */
const titlesOf = (threads: readonly ThreadSummary[]): Record<string, string> =>
  Object.fromEntries(
    threads.flatMap(({ threadId, metadata }) =>
      metadata?.['title'] === undefined ? [] : [[threadId, excerpt(metadata['title'])]],
    ),
  );

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
    const { threadId } = untitled;
    const controller = new AbortController();
    client.threads.get(threadId, { limit: 1 }, { signal: controller.signal }).then(
      ({ messages }) => setTitle(threadId, excerpt(messages[0]?.content ?? '')),
      () => !controller.signal.aborted && setTitle(threadId, ''),
    );
    return () => controller.abort();
  }, [client, untitled, setTitle]);
}

/** Reads a thread that is not in the list, and adds it. */
function useShown(
  client: Client,
  missing: string | undefined,
  setThreads: (update: (known: readonly ThreadSummary[]) => readonly ThreadSummary[]) => void,
): void {
  useEffect(() => {
    if (missing === undefined) return;
    const controller = new AbortController();
    const { signal } = controller;
    client.threads.get(missing, { limit: 1 }, { signal }).then(
      ({ threadId, projectId, createdAt, metadata }) => {
        if (signal.aborted) return;
        setThreads((known) =>
          merge([{ threadId, projectId, createdAt, ...(metadata && { metadata }) }], known),
        );
      },
      // The conversation says what is wrong.
      () => undefined,
    );
    return () => controller.abort();
  }, [client, missing, setThreads]);
}

/** Merges threads, newest first. @param first newer versions of threads that may be in both. */
function merge(first: readonly ThreadSummary[], second: readonly ThreadSummary[]): readonly ThreadSummary[] {
  const given = new Set(first.map(({ threadId }) => threadId));
  const merged = [...first, ...second.filter(({ threadId }) => !given.has(threadId))];
  return merged.sort((one, other) => other.createdAt.localeCompare(one.createdAt));
}
