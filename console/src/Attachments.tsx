import type { Client } from '@thread-run-service/client';
import { type ShownAttachment, useFileUrl } from '@thread-run-service/client/react';
import { useEffect, useState } from 'react';
import { ErrorNote } from './ErrorNote.tsx';
import { FileIcon, ImageIcon } from './icons.tsx';

const isPicture = (mediaType: string | null): boolean => mediaType?.startsWith('image/') ?? false;

interface AttachmentProps {
  readonly client: Client;
  readonly attachment: ShownAttachment;
}

/** A file that a user's message carries. Pictures show where the engine gives out what was uploaded. */
export function Attachment({ client, attachment: { fileId, type, filename } }: AttachmentProps) {
  const isImage = type === 'image';
  const { url, mediaType, error } = useFileUrl(client, isImage ? fileId : null);
  const name = useFilename(client, fileId, filename);
  if (!isImage || error !== null || (url !== null && !isPicture(mediaType))) {
    return (
      <span className="chip">
        {isImage ? <ImageIcon /> : <FileIcon />}
        <span className="name">{name}</span>
      </span>
    );
  }
  return url === null ? (
    <div className="picture loading" />
  ) : (
    <img className="picture" src={url} alt={name} />
  );
}

/** Finds the name of a file that another page has sent. */
function useFilename(client: Client, fileId: string, known: string | undefined): string {
  const [found, setFound] = useState('Attached file');
  useEffect(() => {
    if (known !== undefined) return;
    const controller = new AbortController();
    client.files.get(fileId, { signal: controller.signal }).then(
      ({ filename }) => setFound(filename),
      // It has been deleted, which leaves the message.
      () => undefined,
    );
    return () => controller.abort();
  }, [client, fileId, known]);
  return known ?? found;
}

interface GeneratedProps {
  readonly client: Client;
  readonly threadId: string;
  readonly fileId: string;
  readonly filename: string;
}

/** A file that the code interpreter made: a picture, or something to download. */
export function GeneratedFile({ client, threadId, fileId, filename }: GeneratedProps) {
  const { url, mediaType, error } = useFileUrl(client, fileId, threadId);
  const label = (
    <>
      <FileIcon />
      <span className="name">{filename}</span>
    </>
  );
  if (error !== null) {
    return (
      <div className="generated">
        <span className="chip">{label}</span>
        <ErrorNote error={error} />
      </div>
    );
  }
  if (url === null) return <div className="picture loading" />;
  return (
    <figure className="generated">
      {isPicture(mediaType) && <img className="picture" src={url} alt={filename} />}
      <figcaption>
        <a className="chip" href={url} download={filename}>
          {label}
          <span className="muted">Download</span>
        </a>
      </figcaption>
    </figure>
  );
}
