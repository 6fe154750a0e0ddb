import { sealFileId } from './fileId.ts';
import { openId, sealId } from './sealedId.ts';

/** A source or a product of a reply, and where in its text it belongs; offsets are the engine's, from 0. */
export type Annotation<FileId = string> =
  | {
      readonly type: 'file_citation';
      /** Of the file of a document or of a vector store; in the engine room, the engine's id. */
      readonly citedFileId: string;
      readonly filename: string;
      readonly index: number;
    }
  | {
      readonly type: 'url_citation';
      readonly url: string;
      readonly title: string;
      readonly startIndex: number;
      readonly endIndex: number;
    }
  | {
      readonly type: 'generated_file';
      readonly fileId: FileId;
      readonly filename: string;
      readonly startIndex: number;
      readonly endIndex: number;
    };

/** How closely a model looks at an image. */
export type ImageDetail = 'auto' | 'low' | 'high';

/** A part of a user's message, but for files to read. Texts next to each other are one. */
export type ContentPart<FileId = string> =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_file'; readonly fileId: FileId; readonly detail: ImageDetail }
  /** Without its URL unless that was asked for. */
  | { readonly type: 'image_url'; readonly url: string | undefined; readonly detail: ImageDetail };

/** A file that a message carries. */
export interface MessageAttachment<FileId = string> {
  readonly fileId: FileId;
  readonly type: 'image' | 'file';
}

/** A message of a thread. */
export interface Message {
  readonly messageId: string;
  readonly role: 'user' | 'assistant';
  /** Plain text, refusals included. */
  readonly content: string;
  /** What the assistant said in refusing; also part of the content. */
  readonly refusal: string | undefined;
  /** Undefined when no record tells. */
  readonly createdAt: Date | undefined;
  /** The run whose reply this is; undefined for a user's message, and when no record tells. */
  readonly runId: string | undefined;
  /** The assistant of that run. */
  readonly assistantId: string | undefined;
  readonly attachments: readonly MessageAttachment[];
  readonly annotations: readonly Annotation[];
  /** The content of a user's message in its order; empty for the assistant's, which is text. */
  readonly parts: readonly ContentPart[];
}

/** A file in a container of a code interpreter. The ids are the engine's. */
export interface ContainerFile {
  readonly containerId: string;
  readonly fileId: string;
}

/** Encrypts the ids of a generated file, as an id that is valid in its thread only. */
export const sealGeneratedFile = (conversationId: string, { containerId, fileId }: ContainerFile): string =>
  sealId(conversationId, 'file', `${containerId} ${fileId}`);

/** Replaces the engine's ids of an annotation. @param projectSecret without it, a cited file has no id. */
export function sealAnnotation(
  annotation: Annotation<ContainerFile>,
  conversationId: string,
  projectSecret: string | undefined,
): Annotation {
  switch (annotation.type) {
    case 'file_citation':
      return {
        ...annotation,
        citedFileId: projectSecret === undefined ? '' : sealFileId(projectSecret, annotation.citedFileId),
      };
    case 'generated_file':
      return { ...annotation, fileId: sealGeneratedFile(conversationId, annotation.fileId) };
    case 'url_citation':
      return annotation;
  }
}

/** Decrypts the id of a generated file. @returns undefined for an id not of this conversation. */
export function openGeneratedFile(conversationId: string, sealed: string): ContainerFile | undefined {
  const [containerId, fileId] = openId(conversationId, 'file', sealed)?.split(' ') ?? [];
  return containerId && fileId ? { containerId, fileId } : undefined;
}
