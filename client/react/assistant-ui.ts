import {
  type AppendMessage,
  type AssistantRuntime,
  type AttachmentAdapter,
  type ExternalStoreAdapter,
  MessageNotSentError,
  type ThreadMessageLike,
  useExternalStoreRuntime,
} from '@assistant-ui/react';
import { useEffect, useMemo, useState } from 'react';
import type { Client, ProjectFile } from '../src/index.ts';
import type { MessagePart, ThreadMessage } from './messages.ts';
import { loadFile } from './useFileUrl.ts';
import { type UseThread, type UseThreadOptions, useThread } from './useThread.ts';

type Part = Exclude<ThreadMessageLike['content'], string>[number];
type Status = NonNullable<ThreadMessageLike['status']>;
type Attachment = NonNullable<ThreadMessageLike['attachments']>[number];

/** What assistant-ui can do beyond this service, such as `adapters.speech` or `suggestions`. */
export type RuntimeExtras = Omit<Partial<ExternalStoreAdapter<ThreadMessageLike>>, 'convertMessage'>;

/**
 * Runs assistant-ui's components on a thread: messages with citations, images and files, attachments, functions and
 * approvals, cancel, retry, earlier messages. Give the component that calls it `key={threadId}` if it shows one thread after
 * another.
 */
export function useThreadRunRuntime(options: UseThreadOptions, extras: RuntimeExtras = {}): AssistantRuntime {
  const { client } = options;
  const thread = useThread(options);
  const files = useFiles(client, thread);
  const attachments = useMemo(() => createAttachments(client), [client]);
  const [convert] = useState(createConverter);
  const { status, canSubmit, run } = thread;
  return useExternalStoreRuntime<ThreadMessageLike>({
    ...extras,
    messages: convert(thread, files),
    convertMessage: unchanged,
    isLoading: thread.isLoading,
    isRunning: status === 'submitting' || status === 'queued' || status === 'in_progress',
    // While a run waits, its message says what for.
    isSendDisabled: !canSubmit || extras.isSendDisabled,
    activeRunId: run?.completedAt === null ? run.runId : undefined,
    hasEarlier: thread.hasEarlier,
    onLoadEarlier: thread.loadEarlier,
    adapters: { attachments, ...extras.adapters },
    onNew: async (message) => {
      const isTaken = thread.submit(textOf(message), { attachments: attachments.filesOf(message) });
      // Gives the composer its text and files back, for example files without a text.
      if (!isTaken) throw new MessageNotSentError();
      attachments.forget(message);
    },
    onCancel: thread.cancel,
    onReload: async (parentId) => {
      // A reply that is complete is asked for anew.
      if (!thread.retry()) {
        const asked = thread.messages.find(({ id }) => id === parentId);
        if (asked) thread.submit(asked.content, { attachments: asked.attachments });
      }
    },
    onAddToolResult: ({ toolCallId, result }) => {
      const output = typeof result === 'string' ? result : JSON.stringify(result);
      return thread.respond({ toolOutputs: [{ toolCallId, output }] });
    },
    onRespondToToolApproval: ({ approvalId, approved, reason }) =>
      thread.respond({
        approvals: [{ approvalId, approve: approved, ...(reason !== undefined && { reason }) }],
      }),
  });
}

const unchanged = (message: ThreadMessageLike): ThreadMessageLike => message;

const textOf = ({ content }: AppendMessage): string =>
  content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');

/** Returns a function that converts messages, and repeats its results for what has not changed. */
function createConverter() {
  let last = new Map<string, { readonly inputs: readonly unknown[]; readonly like: ThreadMessageLike }>();
  return (thread: UseThread, files: ReadonlyMap<string, ShownFile>): ThreadMessageLike[] => {
    const next: typeof last = new Map();
    const likes = toTurns(thread).map((turn) => {
      const [first] = turn.messages;
      const id = first?.id ?? turn.id;
      const shown = turn.messages.flatMap((message) =>
        filesOf(message).map(({ fileId }) => files.get(fileId)),
      );
      const inputs = [...turn.messages, ...shown, JSON.stringify(turn.status)];
      const before = last.get(id);
      const same =
        before?.inputs.length === inputs.length && before.inputs.every((input, i) => input === inputs[i]);
      const like = same ? before.like : toLike(turn, id, files);
      next.set(id, { inputs, like });
      return like;
    });
    last = next;
    return likes;
  };
}

/** What assistant-ui shows as one message: the user's, or all of a run's. */
interface Turn {
  readonly id: string;
  readonly role: 'user' | 'assistant';
  readonly runId: string | null;
  readonly messages: ThreadMessage[];
  status: Status | undefined;
}

function toTurns({ messages, run, status, error }: UseThread): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    const { id, role, runId } = message;
    if (last?.role === 'assistant' && role === 'assistant' && runId !== null && last.runId === runId)
      last.messages.push(message);
    else turns.push({ id, role, runId, messages: [message], status: undefined });
  }
  for (const turn of turns) if (turn.role === 'assistant') turn.status = { type: 'complete', reason: 'stop' };

  const current = turns.findLast(
    ({ role, runId }) => role === 'assistant' && run !== null && runId === run.runId,
  );
  const state = toStatus(run, status);
  if (current && state) current.status = state;
  // What did not even begin has no message of its own to say so.
  const failure = messages.at(-1)?.status === 'failed' ? toFailure(error) : current ? undefined : state;
  if (failure?.type === 'incomplete')
    turns.push({
      id: `${turns.at(-1)?.id} failure`,
      role: 'assistant',
      runId: null,
      messages: [],
      status: failure,
    });
  return turns;
}

function toStatus(run: UseThread['run'], status: UseThread['status']): Status | undefined {
  switch (run?.status) {
    case 'requires_action':
      if (status === 'submitting') return { type: 'running' };
      return {
        type: 'requires-action',
        reason: run.requiredAction?.toolCalls.length ? 'tool-calls' : 'interrupt',
      };
    case 'queued':
    case 'in_progress':
      return { type: 'running' };
    case 'cancelled':
      return { type: 'incomplete', reason: 'cancelled' };
    case 'failed':
    case 'expired':
      if (run.errorCode === 'max_output_tokens') return { type: 'incomplete', reason: 'length' };
      if (run.errorCode === 'content_filter') return { type: 'incomplete', reason: 'content-filter' };
      return { type: 'incomplete', reason: 'error', error: run.errorMessage ?? run.status };
    default:
      return undefined;
  }
}

const toFailure = (error: Error | null): Status => ({
  type: 'incomplete',
  reason: 'error',
  error: error?.message ?? 'The message was not sent',
});

function toLike({ role, runId, messages, status }: Turn, id: string, files: Files): ThreadMessageLike {
  const [first] = messages;
  const createdAt = messages.find((message) => message.createdAt !== null)?.createdAt;
  return {
    id,
    role,
    content: messages.flatMap((message) => [
      ...message.parts.map(toPart),
      ...(role === 'assistant' ? toSources(message, files) : []),
    ]),
    ...(createdAt && { createdAt: new Date(createdAt) }),
    ...(status && { status }),
    ...(role === 'user' && {
      attachments: (first?.attachments ?? []).map((file) => toAttachment(file, files)),
    }),
    metadata: {
      ...(runId !== null && { runId }),
      // For a product's own components.
      custom: { messages },
    },
  };
}

function toPart(part: MessagePart): Part {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return { type: 'text', text: part.text };
    case 'tool_call':
      return {
        type: 'tool-call',
        toolCallId: part.toolCallId,
        toolName: part.name,
        argsText: part.arguments,
        ...(part.output !== null && { result: part.output }),
      };
    case 'approval':
      return {
        type: 'tool-call',
        toolCallId: part.approvalId,
        toolName: part.tool,
        argsText: part.arguments,
        approval: { id: part.approvalId, ...(part.approved !== null && { approved: part.approved }) },
      };
  }
}

/** Returns what a reply quotes, each source once, and the files that it made. */
function toSources(message: ThreadMessage, files: Files): Part[] {
  const parts = new Map<string, Part>();
  for (const annotation of annotationsOf(message)) {
    if (annotation.type === 'url_citation') {
      const { url, title } = annotation;
      parts.set(url, { type: 'source', sourceType: 'url', id: url, url, title });
    } else if (annotation.type === 'file_citation') {
      const { filename } = annotation;
      const mediaType = 'application/octet-stream';
      parts.set(filename, {
        type: 'source',
        sourceType: 'document',
        id: filename,
        title: filename,
        mediaType,
        filename,
      });
    } else if (annotation.type === 'generated_file') {
      const { fileId, filename } = annotation;
      const file = files.get(fileId);
      if (file?.url === undefined) continue;
      const isImage = file.mediaType?.startsWith('image/');
      if (isImage) parts.set(fileId, { type: 'image', image: file.url, filename });
      else
        parts.set(fileId, {
          type: 'file',
          data: file.url,
          sourceType: 'url',
          mimeType: file.mediaType ?? '',
          filename,
        });
    }
  }
  return [...parts.values()];
}

const annotationsOf = ({ parts }: ThreadMessage) =>
  parts.flatMap((part) => (part.type === 'text' ? part.annotations : []));

function toAttachment(
  { fileId, type, filename }: ThreadMessage['attachments'][number],
  files: Files,
): Attachment {
  const file = files.get(fileId);
  const name = filename ?? file?.filename ?? type;
  return {
    id: fileId,
    type: type === 'image' ? 'image' : 'document',
    name,
    contentType: file?.mediaType,
    status: { type: 'complete' },
    content:
      type === 'image' && file?.url !== undefined ? [{ type: 'image', image: file.url, filename: name }] : [],
  };
}

interface ShownFile {
  readonly url?: string;
  readonly filename?: string;
  readonly mediaType?: string;
}

type Files = ReadonlyMap<string, ShownFile>;

interface FileReference {
  readonly fileId: string;
  readonly isGenerated: boolean;
  readonly isImage: boolean;
}

const filesOf = (message: ThreadMessage): FileReference[] => [
  ...message.attachments.map(({ fileId, type }) => ({
    fileId,
    isGenerated: false,
    isImage: type === 'image',
  })),
  ...annotationsOf(message).flatMap((annotation) =>
    annotation.type === 'generated_file'
      ? { fileId: annotation.fileId, isGenerated: true, isImage: true }
      : [],
  ),
];

/** Loads the files of a thread's messages: their names, and the content of images and of files that a reply made. */
function useFiles(client: Client, { threadId, messages }: UseThread): Files {
  const [loader] = useState(() => ({
    asked: new Set<string>(),
    urls: [] as string[],
    leaving: new AbortController(),
  }));
  const [files, setFiles] = useState<Files>(new Map());
  // Before the loading, so that Strict Mode, which leaves and returns at once, loads again.
  useEffect(() => {
    loader.leaving = new AbortController();
    return () => {
      loader.leaving.abort();
      for (const url of loader.urls.splice(0)) URL.revokeObjectURL(url);
      loader.asked.clear();
    };
  }, [loader]);
  useEffect(() => {
    const { signal } = loader.leaving;
    const load = async ({ fileId, isGenerated, isImage }: FileReference): Promise<void> => {
      const meta = isGenerated ? undefined : await client.files.get(fileId, { signal });
      const blob =
        isImage && (await loadFile(client, fileId, isGenerated ? (threadId ?? '') : undefined, signal));
      if (signal.aborted) return;
      const url = blob && URL.createObjectURL(blob);
      if (url) loader.urls.push(url);
      const mediaType = blob ? blob.type : meta?.mediaType;
      setFiles((loaded) =>
        new Map(loaded).set(fileId, {
          ...(url && { url }),
          ...(meta && { filename: meta.filename }),
          ...(mediaType && { mediaType }),
        }),
      );
    };
    for (const file of messages.flatMap(filesOf)) {
      if (loader.asked.has(file.fileId)) continue;
      loader.asked.add(file.fileId);
      // A file that cannot be read, or not any more, is shown by its name only.
      load(file).catch(() => undefined);
    }
  }, [client, loader, messages, threadId]);
  return files;
}

interface Attachments extends AttachmentAdapter {
  /** Returns the uploaded files of a message. */
  filesOf(message: AppendMessage): ProjectFile[];
  /** Leaves the files of a message to it: they are not removed any more. */
  forget(message: AppendMessage): void;
}

/** Uploads attachments as soon as they are added. */
function createAttachments(client: Client): Attachments {
  const uploads = new Map<string, { readonly controller: AbortController; file?: ProjectFile }>();
  return {
    accept: '*',
    async *add({ file }) {
      const id = crypto.getRandomValues(new Uint32Array(4)).join('-');
      const type = file.type.startsWith('image/') ? 'image' : 'document';
      const pending = { id, type, name: file.name, contentType: file.type, file } as const;
      const upload: { controller: AbortController; file?: ProjectFile } = {
        controller: new AbortController(),
      };
      uploads.set(id, upload);
      yield { ...pending, status: { type: 'running', reason: 'uploading', progress: 0 } };
      try {
        upload.file = await client.files.upload(file, { signal: upload.controller.signal });
        yield { ...pending, status: { type: 'requires-action', reason: 'composer-send' } };
      } catch (error) {
        if (upload.controller.signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        yield { ...pending, status: { type: 'incomplete', reason: 'error', message } };
      }
    },
    async remove({ id }) {
      const upload = uploads.get(id);
      uploads.delete(id);
      upload?.controller.abort();
      if (upload?.file) await client.files.delete(upload.file.fileId);
    },
    async send(attachment) {
      if (!uploads.get(attachment.id)?.file) throw new Error(`${attachment.name} is not uploaded`);
      return { ...attachment, status: { type: 'complete' }, content: [] };
    },
    filesOf: ({ attachments = [] }) => attachments.flatMap(({ id }) => uploads.get(id)?.file ?? []),
    forget({ attachments = [] }) {
      for (const { id } of attachments) uploads.delete(id);
    },
  };
}
