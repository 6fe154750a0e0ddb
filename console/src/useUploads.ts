import type { Client, ProjectFile } from '@thread-run-service/client';
import { useEffect, useRef, useState } from 'react';

/** A file on its way to the next message. */
export interface PendingFile {
  readonly key: number;
  readonly name: string;
  readonly bytes: number;
  /** Set when it has arrived. */
  readonly file?: ProjectFile;
  readonly error?: unknown;
}

export interface Uploads {
  readonly files: readonly PendingFile[];
  readonly isBusy: boolean;
  add(files: Iterable<File>): void;
  remove(key: number): void;
  /** Returns what has arrived, as attachments of a message. */
  ready(): ProjectFile[];
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
          (uploaded) => update(key, { file: uploaded }),
          (error) => update(key, { error }),
        );
      }
    },
    remove: (key) => setFiles((known) => known.filter((file) => file.key !== key)),
    ready: () => files.flatMap(({ file }) => (file === undefined ? [] : [file])),
    clear: () => setFiles([]),
  };
}
