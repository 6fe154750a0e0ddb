import { useState } from 'react';
import { Dialog } from './Dialog.tsx';
import { ErrorNote } from './ErrorNote.tsx';
import { day, shortId } from './format.ts';
import { IconButton } from './IconButton.tsx';
import { PlusIcon, TrashIcon } from './icons.tsx';
import type { ThreadList } from './useThreads.ts';

interface Props {
  readonly threads: ThreadList;
  readonly current: string | undefined;
  readonly onOpen: (threadId: string | undefined) => void;
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
      {error !== undefined && <ErrorNote error={error} onRetry={list.reload} />}
      {threads.length === 0 && !isLoading && error === undefined && (
        <p className="empty">No threads yet. Your first message creates one.</p>
      )}
      <ul>
        {threads.map(({ threadId, createdAt }) => (
          <li key={threadId}>
            <a
              href={`#${threadId}`}
              aria-current={threadId === current ? 'page' : undefined}
              onClick={() => onOpen(threadId)}
            >
              <span className="title">{titleOf(threadId)}</span>
              <span className="facts">
                <time dateTime={createdAt}>{day(createdAt)}</time>
                <code>{shortId(threadId)}</code>
              </span>
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
        <button type="button" className="more" disabled={isLoading} onClick={list.loadMore}>
          {isLoading ? 'Loading…' : 'Load more'}
        </button>
      )}
      {deleting !== undefined && (
        <DeleteDialog
          title={titleOf(deleting)}
          onClose={() => setDeleting(undefined)}
          onDelete={async () => {
            await list.remove(deleting);
            setDeleting(undefined);
            if (deleting === current) onOpen(undefined);
          }}
        />
      )}
    </section>
  );
}

interface DeleteProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly onDelete: () => Promise<void>;
}

function DeleteDialog({ title, onClose, onDelete }: DeleteProps) {
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    setError(undefined);
    await onDelete().catch((failure) => {
      setError(failure);
      setBusy(false);
    });
  };
  return (
    <Dialog title="Delete this thread?" onClose={onClose}>
      <p>
        <strong>{title}</strong>
      </p>
      <p className="muted">
        Its messages and runs are deleted with it, for everyone. A run under way is cancelled.
      </p>
      {error !== undefined && <ErrorNote error={error} />}
      <footer>
        <button type="button" data-first onClick={onClose}>
          Keep it
        </button>
        <button type="button" className="danger" disabled={isBusy} onClick={() => void remove()}>
          {isBusy ? 'Deleting…' : 'Delete'}
        </button>
      </footer>
    </Dialog>
  );
}
