import type { ThreadSummary } from '@thread-run-service/client';
import { useState } from 'react';
import { DeleteDialog } from './DeleteDialog.tsx';
import { ErrorNote } from './ErrorNote.tsx';
import { FindThreads } from './FindThreads.tsx';
import { passFocusTo } from './focus.ts';
import { day, shortId } from './format.ts';
import { IconButton } from './IconButton.tsx';
import { PlusIcon, TrashIcon } from './icons.tsx';
import type { ThreadList } from './useThreads.ts';

interface Props {
  readonly threads: ThreadList;
  readonly current: string | undefined;
  readonly onOpen: (threadId: string | undefined) => void;
}

const toLastThread = passFocusTo('.threads li:last-child a');

/** Returns a selector of the thread beside one, or else of the button for a new one. */
function besides(threads: ThreadList['threads'], threadId: string): string {
  const index = threads.findIndex((thread) => thread.threadId === threadId);
  const neighbour = threads[index + 1] ?? threads[index - 1];
  return neighbour ? `.threads a[href="#${neighbour.threadId}"]` : '.threads button';
}

/** The project's threads, newest first. */
export function Threads({ threads: list, current, onOpen }: Props) {
  const { threads, titles, hasMore, isLoading, error } = list;
  const [deleting, setDeleting] = useState<string>();
  const titleOf = (threadId: string) => titles[threadId] || (titles[threadId] === '' ? 'Empty thread' : '…');
  return (
    <section className="threads" aria-labelledby="threads-title">
      <header>
        <h2 id="threads-title">Threads</h2>
        <button type="button" className="small" onClick={() => onOpen(undefined)} title="New thread (Alt+N)">
          <PlusIcon /> New
        </button>
      </header>
      <FindThreads onOpen={onOpen} onLabel={list.setLabel} />
      {error !== undefined && <ErrorNote error={error} onRetry={list.reload} />}
      {threads.length === 0 && !isLoading && error === undefined && (
        <p className="empty">
          {list.label ? 'No thread has this label.' : 'No threads yet. Your first message creates one.'}
        </p>
      )}
      <ul>
        {threads.map(({ threadId, createdAt, metadata }) => (
          <li key={threadId}>
            <a
              href={`#${threadId}`}
              aria-current={threadId === current ? 'page' : undefined}
              onClick={() => onOpen(threadId)}
            >
              <span className="title" dir="auto">
                {titleOf(threadId)}
              </span>
              <span className="facts">
                <time dateTime={createdAt}>{day(createdAt)}</time>
                <code>{shortId(threadId)}</code>
              </span>
              {metadata && <Labels metadata={metadata} />}
            </a>
            <IconButton
              label={`Delete “${titleOf(threadId)}”`}
              className="row-action"
              onClick={() => setDeleting(threadId)}
            >
              <TrashIcon />
            </IconButton>
          </li>
        ))}
      </ul>
      {isLoading && threads.length === 0 && <div className="skeleton" aria-hidden="true" />}
      {hasMore && (
        <button
          ref={toLastThread}
          type="button"
          className="more"
          aria-disabled={isLoading}
          onClick={() => isLoading || list.loadMore()}
        >
          {isLoading ? 'Loading…' : 'Load more'}
        </button>
      )}
      {deleting !== undefined && (
        <DeleteDialog
          kind="thread"
          name={titleOf(deleting)}
          consequence="Its messages and runs are deleted with it, for everyone. A run under way is cancelled."
          elsewhere={besides(threads, deleting)}
          onClose={() => setDeleting(undefined)}
          onDelete={async () => {
            await list.remove(deleting);
            if (deleting === current) onOpen(undefined);
          }}
        />
      )}
    </section>
  );
}

/** What threads can be found by. */
function Labels({ metadata = {} }: Pick<ThreadSummary, 'metadata'>) {
  const labels = Object.entries(metadata).filter(([key]) => key !== 'title');
  const text = labels.map(([key, value]) => `${key}=${value}`).join(' · ');
  return text === '' ? null : (
    <span className="labels" title={text}>
      {text}
    </span>
  );
}
