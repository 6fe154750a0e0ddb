import type { Attachment } from './file.ts';
import type { ImageDetail } from './message.ts';

/** A part of a message that a client sends. */
export type NewMessagePart =
  | { readonly type: 'text'; readonly text: string }
  /** An image at an address of the web, which the engine reads, or a `data:` URL. */
  | { readonly type: 'image_url'; readonly url: string; readonly detail?: ImageDetail }
  /** An image among the project's files. */
  | { readonly type: 'image_file'; readonly fileId: string; readonly detail?: ImageDetail };

/** What a message carries a file for: to be searched, or to be used by the thread's code interpreters. */
export type AttachmentTool = 'file_search' | 'code_interpreter';

/** A file that a client attaches to a message. */
export interface NewAttachment {
  readonly fileId: string;
  readonly tools: readonly AttachmentTool[];
  /** Set if the thread's vector store has it. Otherwise the model reads it. */
  readonly searched?: true;
}

/** A message that a client adds to a thread, without or before a run. Never stored by the service. */
export interface NewMessage {
  readonly role: 'user' | 'assistant';
  readonly parts: readonly NewMessagePart[];
  readonly attachments?: readonly NewAttachment[];
}

/** A part of a message whose file has been found. */
export type InputPart =
  | Exclude<NewMessagePart, { type: 'image_file' }>
  | { readonly type: 'file'; readonly file: Attachment; readonly detail?: ImageDetail };

/** A message whose files have been found. */
export interface InputMessage {
  readonly role: 'user' | 'assistant';
  readonly parts: readonly InputPart[];
}
