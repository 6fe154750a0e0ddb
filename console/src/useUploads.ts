import type { Client, ProjectFile } from '@thread-run-service/client';
import type { ShownAttachment } from '@thread-run-service/client/react';
import { useEffect, useRef, useState } from 'react';
import { announce } from './announce.ts';

/** A file on its way to the next message. */
export interface PendingFile {
  readonly key: number;
  readonly name: string;
  /** Not known of a file that comes back. */
  readonly bytes?: number;
  /** Set when it has arrived. */
  readonly file?: UploadedFile;
  readonly error?: unknown;
}

/** A file as a message carries it. */
type UploadedFile = Pick<ProjectFile, 'fileId' | 'filename' | 'mediaType'>;

export interface Uploads {
  readonly files: readonly PendingFile[];
  readonly isBusy: boolean;
  add(files: Iterable<File>): void;
  /** Takes back the files of a message that was not sent. */
  restore(attachments: readonly ShownAttachment[]): void;
  remove(key: number): void;
  /** Returns what has arrived, as attachments of a message. */
  ready(): UploadedFile[];
  clear(): void;
}

let lastKey = 0;

/** Uploads files as soon as they are chosen, so that sending the message need not wait for them. */
export function useUploads(client: Client): Uploads {
  const [files, setFiles] = useState<readonly PendingFile[]>([]);
  const controller = useRef(new AbortController());
  useEffect(() => {
    controller.current = new AbortController();
    return () => controller.current.abort();
  }, []);

  const update = (key: number, facts: Partial<PendingFile>) =>
    setFiles((known) => known.map((file) => (file.key === key ? { ...file, ...facts } : file)));
  return {
    files,
    isBusy: files.some(({ file, error }) => file === undefined && error === undefined),
    add(added) {
      for (const file of added) {
        const key = ++lastKey;
        setFiles((known) => [...known, { key, name: file.name, bytes: file.size }]);
        client.files.upload(file, { signal: controller.current.signal }).then(
          (uploaded) => {
            update(key, { file: uploaded });
            announce(`Attached ${file.name}`);
          },
          (error) => update(key, { error }),
        );
      }
    },
    restore: (attachments) =>
      setFiles((known) => [
        ...known,
        ...attachments.map(({ fileId, filename = 'Attached file', type }) => ({
          key: ++lastKey,
          name: filename,
          file: { fileId, filename, mediaType: type === 'image' ? 'image/' : '' },
        })),
      ]),
    remove: (key) => setFiles((known) => known.filter((file) => file.key !== key)),
    ready: () => files.flatMap(({ file }) => (file === undefined ? [] : [file])),
    clear: () => setFiles([]),
  };
}
