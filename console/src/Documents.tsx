import type { Client, ProjectDocument } from '@thread-run-service/client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { announce } from './announce.ts';
import { DeleteDialog } from './DeleteDialog.tsx';
import { Dialog } from './Dialog.tsx';
import { ErrorNote } from './ErrorNote.tsx';
import { bytes, day } from './format.ts';
import { IconButton } from './IconButton.tsx';
import { BookIcon, PlusIcon, TrashIcon } from './icons.tsx';

/** How often documents that are being indexed are looked up, in milliseconds. */
const pollMs = 1500;

const tones = { indexing: 'active', ready: 'success', failed: 'danger' } as const;

/** The documents that every run of the project searches; editors add and delete them. */
export function Documents({ client, onClose }: { readonly client: Client; readonly onClose: () => void }) {
  const [documents, setDocuments] = useState<readonly ProjectDocument[]>();
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const [deleting, setDeleting] = useState<ProjectDocument>();
  const input = useRef<HTMLInputElement>(null);

  const load = useCallback(async () => {
    const all: ProjectDocument[] = [];
    for await (const document of client.documents.list({ limit: 100 })) all.push(document);
    setDocuments(all);
  }, [client]);
  useEffect(() => {
    load().catch(setError);
  }, [load]);
  const isIndexing = documents?.some(({ status }) => status === 'indexing') ?? false;
  useEffect(() => {
    if (!isIndexing) return;
    const timer = setInterval(() => void load().catch(setError), pollMs);
    return () => clearInterval(timer);
  }, [isIndexing, load]);

  const upload = async (files: readonly File[]) => {
    setBusy(true);
    setError(undefined);
    try {
      for (const file of files) {
        await client.documents.upload(file);
        announce(`Added ${file.name}`);
      }
    } catch (failure) {
      setError(failure);
    }
    // Also after a failure: those before it have been added.
    await load().catch(setError);
    setBusy(false);
  };

  return (
    <Dialog title="Documents" onClose={onClose} isWide>
      <p className="muted">
        Every run of the project searches them. Changing them takes an editor of the project.
      </p>
      {error !== undefined && <ErrorNote error={error} />}
      {documents?.length === 0 && (
        <div className="empty">
          <BookIcon />
          <p>No documents yet. PDF, Office, Markdown and other text can be added.</p>
        </div>
      )}
      {!!documents?.length && (
        <ul className="documents">
          {documents.map((document) => (
            <li key={document.documentId}>
              <span className="name">{document.name}</span>
              <span className="badge" data-tone={tones[document.status]}>
                {document.errorCode ?? document.status}
              </span>
              <span className="muted">{bytes(document.bytes)}</span>
              <time className="muted" dateTime={document.createdAt}>
                {day(document.createdAt)}
              </time>
              <IconButton label={`Delete ${document.name}`} onClick={() => setDeleting(document)}>
                <TrashIcon />
              </IconButton>
            </li>
          ))}
        </ul>
      )}
      {documents && (
        <footer>
          <input
            ref={input}
            type="file"
            multiple
            hidden
            tabIndex={-1}
            aria-label="Documents to add"
            onChange={(event) => {
              // Emptying the input empties its list, too.
              void upload([...(event.target.files ?? [])]);
              event.target.value = '';
            }}
          />
          <button
            type="button"
            className="primary"
            aria-disabled={isBusy}
            onClick={() => isBusy || input.current?.click()}
          >
            <PlusIcon /> {isBusy ? 'Working…' : 'Add documents'}
          </button>
        </footer>
      )}
      {deleting && (
        <DeleteDialog
          kind="document"
          name={deleting.name}
          consequence="No run of the project finds it any more, for everyone."
          elsewhere=".dialog.wide .icon-button"
          onClose={() => setDeleting(undefined)}
          onDelete={async () => {
            await client.documents.delete(deleting.documentId);
            await load();
          }}
        />
      )}
    </Dialog>
  );
}
