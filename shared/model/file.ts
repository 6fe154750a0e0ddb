/** Identifies a file of a project. */
export interface FileKey {
  readonly projectId: string;
  readonly fileId: string;
}

/** Content of a file, in pieces. */
export type FileContent = AsyncIterable<Uint8Array>;

/** A file that a client sends. */
export interface Upload {
  readonly name: string;
  /** Read at most once. Ends normally only if the client has sent all of it. */
  readonly content: FileContent;
}

/** A file that a client sends in a form. */
export interface FormUpload extends Upload {
  /** The other fields of the form. Complete once the content has ended. */
  readonly fields: ReadonlyMap<string, string>;
}

/** What a file was uploaded for, in the words of the Assistants API. */
export const filePurposes = ['assistants', 'user_data', 'vision'] as const;
export type FilePurpose = (typeof filePurposes)[number];

/** A file as stored: without its name, which people wrote. The engine keeps the name and the content. */
export interface StoredFile extends FileKey {
  /** As detected from the content. */
  readonly mediaType: string;
  readonly bytes: number;
  readonly createdAt: Date;
  /** A label of the client's: the service uses all files alike. */
  readonly purpose: FilePurpose;
  /** The engine's id. Never leaves the service. */
  readonly engineFileId: string;
}

/** A file that a message carries to the engine. */
export type Attachment = Pick<StoredFile, 'engineFileId' | 'mediaType'>;

export const isImage = (mediaType: string): boolean => mediaType.startsWith('image/');
