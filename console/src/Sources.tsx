import type { Annotation, Client } from '@thread-run-service/client';
import type { MessagePart } from '@thread-run-service/client/react';
import { GeneratedFile } from './Attachments.tsx';
import { FileIcon, LinkIcon } from './icons.tsx';

interface Props {
  readonly client: Client;
  readonly threadId: string;
  readonly parts: readonly MessagePart[];
}

/** What a reply quotes, each once, and the files that it made. */
export function Sources({ client, threadId, parts }: Props) {
  const annotations = parts.flatMap((part) => (part.type === 'text' ? part.annotations : []));
  const quoted = [...new Map(annotations.map((annotation) => [keyOf(annotation), annotation])).entries()];
  const files = quoted.filter(([, { type }]) => type === 'file_citation' || type === 'url_citation');
  return (
    <>
      {quoted.map(
        ([key, annotation]) =>
          annotation.type === 'generated_file' && (
            <GeneratedFile
              key={key}
              client={client}
              threadId={threadId}
              fileId={annotation.fileId}
              filename={annotation.filename}
            />
          ),
      )}
      {files.length > 0 && (
        <ul className="sources" aria-label="Sources">
          {files.map(([key, annotation], index) => (
            <li key={key}>
              <Source number={index + 1} annotation={annotation} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Source({ number, annotation }: { readonly number: number; readonly annotation: Annotation }) {
  if (annotation.type === 'file_citation') {
    return (
      <span className="chip">
        <span className="number">{number}</span>
        <FileIcon />
        <span className="name">{annotation.filename}</span>
      </span>
    );
  }
  if (annotation.type !== 'url_citation') return null;
  const content = (
    <>
      <span className="number">{number}</span>
      <LinkIcon />
      <span className="name">{annotation.title || annotation.url}</span>
    </>
  );
  // The address comes from the model's search.
  return /^https?:\/\//i.test(annotation.url) ? (
    <a className="chip" href={annotation.url} target="_blank" rel="noopener noreferrer">
      {content}
    </a>
  ) : (
    <span className="chip">{content}</span>
  );
}

const keyOf = (annotation: Annotation): string =>
  annotation.type === 'url_citation'
    ? annotation.url
    : annotation.type === 'generated_file'
      ? annotation.fileId
      : `${annotation.type} ${annotation.filename}`;
