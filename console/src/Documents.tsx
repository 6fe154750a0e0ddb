import type { Client, ProjectDocument } from '@thread-run-service/client';
import { useCallback, useEffect, useRef, useState } from 'react';
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
  const input = useRef<HTMLInputElement>(null);

  const load = useCallback(async () => {
    const all: ProjectDocument[] = [];
    for await (const document of client.documents.list({ limit: 100 })) all.push(document);
    setDocuments(all);
  }, [client]);
  const attempt = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    await work()
      .then(load)
      .catch(setError)
      .finally(() => setBusy(false));
  };
  useEffect(() => {
    load().catch(setError);
  }, [load]);
  const isIndexing = documents?.some(({ status }) => status === 'indexing') ?? false;
  useEffect(() => {
    if (!isIndexing) return;
    const timer = setInterval(() => void load().catch(setError), pollMs);
    return () => clearInterval(timer);
  }, [isIndexing, load]);

  const upload = (files: readonly File[]) =>
    attempt(async () => {
      for (const file of files) await client.documents.upload(file);
    });

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
              <IconButton
                label={`Delete ${document.name}`}
                disabled={isBusy}
                onClick={() => void attempt(() => client.documents.delete(document.documentId))}
              >
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
          <button type="button" className="primary" disabled={isBusy} onClick={() => input.current?.click()}>
            <PlusIcon /> {isBusy ? 'Working…' : 'Add documents'}
          </button>
        </footer>
      )}
    </Dialog>
  );
}
