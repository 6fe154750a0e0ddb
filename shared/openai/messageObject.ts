import type { ContentPart } from '../model/message.ts';
import type { Run } from '../model/run.ts';
import type { Thread } from '../model/thread.ts';
import type { ThreadMessage } from '../threads/threadMessages.ts';
import { toReplyContent } from './annotations.ts';
import { toUnixSeconds, type WireContent, type WireMessage } from './wire.ts';

/**
 * Returns a message as the Assistants API sends it. Text parts next to each other are one, as in the project API.
 * @param run that created the message, if the caller knows it.
 */
export function toWireMessage(
  { threadId, createdAt: threadCreatedAt }: Pick<Thread, 'threadId' | 'createdAt'>,
  message: ThreadMessage,
  run?: Run,
): WireMessage {
  const reply =
    message.role === 'assistant' ? toReplyContent(threadId, message.content, message.annotations) : undefined;
  const createdAt = toUnixSeconds(message.createdAt ?? run?.completedAt ?? threadCreatedAt);
  return {
    id: message.messageId,
    object: 'thread.message',
    created_at: createdAt,
    assistant_id: message.assistantId ?? run?.assistantId ?? null,
    thread_id: threadId,
    run_id: message.runId ?? run?.runId ?? null,
    role: message.role,
    status: 'completed',
    incomplete_details: null,
    completed_at: createdAt,
    incomplete_at: null,
    content: reply?.content ?? toContent(message),
    attachments: reply?.attachments ?? toAttachments(message),
    metadata: message.metadata ?? {},
  };
}

function toContent(message: ThreadMessage): WireContent[] {
  const attached = new Set(message.attached?.map(({ fileId }) => fileId));
  const parts = message.parts
    // An image that was attached is an attachment.
    .filter((part) => part.type !== 'image_file' || !attached.has(part.fileId))
    .map(toPart);
  return parts.length > 0 ? parts : [{ type: 'text', text: { value: message.content, annotations: [] } }];
}

function toPart(part: ContentPart): WireContent {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: { value: part.text, annotations: [] } };
    case 'image_file':
      return { type: 'image_file', image_file: { file_id: part.fileId, detail: part.detail } };
    case 'image_url':
      return { type: 'image_url', image_url: { url: part.url ?? '', detail: part.detail } };
  }
}

/** Returns the files of a message. Without a record, the model reads those that are no images, and code may use them. */
function toAttachments({ attached, attachments }: ThreadMessage): WireMessage['attachments'] {
  if (attached) {
    return attached.map(({ fileId, tools }) => ({ file_id: fileId, tools: tools.map((type) => ({ type })) }));
  }
  return attachments.flatMap(({ fileId, type }) =>
    type === 'file'
      ? [
          {
            file_id: fileId,
            tools: [{ type: 'file_search' as const }, { type: 'code_interpreter' as const }],
          },
        ]
      : [],
  );
}
