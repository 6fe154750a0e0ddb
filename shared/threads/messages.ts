import type { EngineMessage } from '../engine/messages.ts';
import type { FileSecrets } from '../files/fileSecrets.ts';
import { sealFileId } from '../model/fileId.ts';
import { type Message, sealAnnotation } from '../model/message.ts';
import { sealMessageId } from '../model/messageId.ts';
import type { Run } from '../model/run.ts';
import type { Thread } from '../model/thread.ts';
import type { RunStore } from '../storage/runStore.ts';

/** Dependencies of {@link toMessages}. */
export interface MessageServices {
  readonly runs: RunStore;
  readonly fileSecrets: FileSecrets;
}

/** Runs without messages that may lie between those of a page and are read in vain. */
const runsWithoutMessages = 20;

/** A message as far as it helps to find the runs of others. */
export type KnownMessage = Pick<EngineMessage, 'messageId' | 'role'>;

/** Maximum number of replies from which the runs of a page are looked for. */
const maxAnchors = 2;

/**
 * Completes messages of the engine with what the service knows of them. Costs at most five reads of the store, and
 * usually two, whatever the number of messages.
 * @param messages of one page, in any order.
 * @param known the same messages and those next to the page that may belong to them, oldest first. A user's message next
 * to the page may pass for a reply.
 * @param isDetailed whether to show the ids of cited documents, which may cost a read or a write more.
 */
export async function toMessages(
  { runs, fileSecrets }: MessageServices,
  thread: Thread,
  messages: readonly EngineMessage[],
  known: readonly KnownMessage[],
  isDetailed = false,
): Promise<Message[]> {
  const { projectId, conversationId } = thread;
  const findRuns = async (): Promise<readonly Run[]> => {
    const replies = known.filter(({ role }) => role === 'assistant').slice(-maxAnchors);
    for (const { messageId } of replies.toReversed()) {
      const found = await runs.listReplied(thread, messageId, known.length + runsWithoutMessages);
      if (found.length > 0) return found;
    }
    return [];
  };
  const [replied, secret] = await Promise.all([
    findRuns(),
    findSecret(fileSecrets, projectId, messages, isDetailed),
  ]);
  const facts = findFacts(known, replied);
  return messages.map((message) => ({
    ...message,
    ...(facts.get(message.messageId) ?? { createdAt: undefined, runId: undefined, assistantId: undefined }),
    messageId: sealMessageId(conversationId, message.messageId),
    // Without a secret nothing was uploaded here, so the files are none of the project's.
    attachments: secret
      ? message.attachments.map((one) => ({ ...one, fileId: sealFileId(secret, one.fileId) }))
      : [],
    parts: message.parts.flatMap((part) => {
      if (part.type !== 'image_file') return part;
      return secret ? { ...part, fileId: sealFileId(secret, part.fileId) } : [];
    }),
    annotations: message.annotations.map((one) => sealAnnotation(one, conversationId, secret)),
  }));
}

/** Finds the secret of a project's file ids if messages name files. A document may be cited before the first upload. */
async function findSecret(
  fileSecrets: FileSecrets,
  projectId: string,
  messages: readonly EngineMessage[],
  isDetailed: boolean,
): Promise<string | undefined> {
  const isCited =
    isDetailed &&
    messages.some(({ annotations }) => annotations.some(({ type }) => type === 'file_citation'));
  if (isCited) return fileSecrets.open(projectId);
  return messages.some(({ attachments }) => attachments.length > 0) ? fileSecrets.find(projectId) : undefined;
}

type Facts = Pick<Message, 'createdAt' | 'runId' | 'assistantId'>;

/** Finds the runs of messages, by the engine's ids of their replies. A question is the message before its first reply. */
function findFacts(messages: readonly KnownMessage[], runs: readonly Run[]): Map<string, Facts> {
  const runOf = new Map(runs.flatMap((run) => (run.replyItemIds ?? []).map((itemId) => [itemId, run])));
  const facts = new Map<string, Facts>();
  let before: KnownMessage | undefined;
  for (const message of messages) {
    const run = message.role === 'assistant' ? runOf.get(message.messageId) : undefined;
    if (run) {
      const { completedAt: createdAt, runId, assistantId } = run;
      facts.set(message.messageId, { createdAt, runId, assistantId });
      if (before?.role === 'user') {
        facts.set(before.messageId, { createdAt: run.createdAt, runId: undefined, assistantId: undefined });
      }
    }
    before = message;
  }
  return facts;
}
