/** A part of a message that a client sends. */
export type NewMessagePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly url: string; readonly detail?: 'auto' | 'low' | 'high' };

/** A message that a client adds to a thread, without or before a run. Never stored by the service. */
export interface NewMessage {
  readonly role: 'user' | 'assistant';
  readonly parts: readonly NewMessagePart[];
}
