import type { Message } from '../model/message.ts';

/** Returns a message for a response body. */
export const toMessageBody = (message: Message) => ({
  messageId: message.messageId,
  role: message.role,
  content: message.content,
  createdAt: message.createdAt?.toISOString() ?? null,
  runId: message.runId ?? null,
  refusal: message.refusal ?? null,
  attachments: message.attachments,
  annotations: message.annotations.map((annotation) => {
    if (annotation.type !== 'file_citation') return annotation;
    const { type, filename, index } = annotation;
    return { type, filename, index };
  }),
});
