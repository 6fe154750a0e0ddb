import { type Client, RunFailedError } from '@thread-run-service/client';
import { useThread } from '@thread-run-service/client/react';
import { useEffect, useRef } from 'react';
import { Composer } from './Composer.tsx';
import { DropZone } from './DropZone.tsx';
import { ErrorNote } from './ErrorNote.tsx';
import { passFocusTo } from './focus.ts';
import { excerpt } from './format.ts';
import { MessageIcon } from './icons.tsx';
import { MessageView } from './MessageView.tsx';
import { Progress } from './Progress.tsx';
import { type Drafts, useDraft } from './useDraft.ts';
import { useStickToEnd } from './useStickToEnd.ts';
import { useUploads } from './useUploads.ts';

interface Props {
  readonly client: Client;
  /** Undefined for a conversation that its first message will begin. */
  readonly threadId: string | undefined;
  readonly shownRun: string | undefined;
  readonly drafts: Drafts;
  readonly onCreated: (threadId: string) => void;
  /** A run begins, or is found under way. */
  readonly onRun: (threadId: string, runId: string) => void;
  /** The run's status has changed. */
  readonly onStatus: () => void;
  /** A request failed. Even so, it may have started a run, or the service may have recorded one as failed. */
  readonly onFailure: () => void;
  readonly onShowRun: (runId: string) => void;
  readonly onTitle: (threadId: string, title: string) => void;
}

/** At the beginning, or at the end, one goes on by reading. */
const toMessages = passFocusTo('.messages');

/** What a run waits for, the first of it, else the message box. */
const nextToAnswer = '.call[data-open] :is(textarea, input), .message-box';

/** The messages of a thread, and the next one. */
export function Conversation(props: Props) {
  const { client, threadId, shownRun, onCreated, onRun, onStatus, onFailure, onShowRun, onTitle } = props;
  const thread = useThread({ client, threadId: threadId ?? null, onThreadCreated: onCreated });
  const { messages, run, status, error } = thread;
  const uploads = useUploads(client);
  const [text, setText] = useDraft(props.drafts, threadId, messages);
  const messageBox = useRef<HTMLTextAreaElement>(null);
  const end = useStickToEnd(messages[0]?.id);

  const [runId, runThread] = [run?.runId, run?.threadId];
  useEffect(() => {
    if (runId !== undefined && runThread !== undefined) onRun(runThread, runId);
  }, [runId, runThread, onRun]);
  const runStatus = run?.status;
  useEffect(() => {
    if (runStatus !== undefined && runStatus !== 'queued') onStatus();
  }, [runStatus, onStatus]);
  useEffect(() => {
    if (error && !(error instanceof RunFailedError)) onFailure();
  }, [error, onFailure]);
  const first = thread.hasEarlier ? undefined : messages[0]?.content;
  useEffect(() => {
    if (threadId !== undefined && first !== undefined) onTitle(threadId, excerpt(first));
  }, [threadId, first, onTitle]);
  useEffect(() => {
    if (threadId === undefined) messageBox.current?.focus();
  }, [threadId]);

  const isRunning = !thread.canSubmit && status !== 'loading' && status !== 'ready';
  return (
    <DropZone onFiles={uploads.add}>
      <section
        className="messages"
        aria-label="Messages"
        tabIndex={0}
        ref={end.scroller}
        onScroll={end.onScroll}
      >
        {thread.hasEarlier && (
          <button
            ref={toMessages}
            type="button"
            className="more"
            aria-disabled={thread.isLoadingEarlier}
            onClick={() => void thread.loadEarlier()}
          >
            {thread.isLoadingEarlier ? 'Loading…' : 'Load earlier messages'}
          </button>
        )}
        {messages.length === 0 &&
          !error &&
          (thread.isLoading ? <Skeleton /> : <Empty isDraft={threadId === undefined} />)}
        {messages.map((message) => (
          <MessageView
            key={message.id}
            client={client}
            threadId={threadId}
            message={message}
            isShownRun={message.runId !== null && message.runId === shownRun}
            onShowRun={onShowRun}
            onRespond={(outputs) => {
              void thread.respond(outputs);
              // What was answered goes away, and the focus must not go with it.
              requestAnimationFrame(() => document.querySelector<HTMLElement>(nextToAnswer)?.focus());
            }}
            onDiscard={(unsent) => {
              const again = thread.discard(unsent.id) ?? '';
              // What is being written meanwhile stays, after it.
              setText((now) => [again, now].filter(Boolean).join('\n\n'));
              uploads.restore(unsent.attachments);
              messageBox.current?.focus();
            }}
          />
        ))}
        <Progress status={status} steps={thread.steps} messages={messages} />
        {error && (
          <ErrorNote error={error} {...(thread.canRetry && { onRetry: () => void thread.retry() })} />
        )}
      </section>
      {end.isAway && (
        <button ref={toMessages} type="button" className="to-end" onClick={end.go}>
          Jump to the end
        </button>
      )}
      <Composer
        uploads={uploads}
        messageBox={messageBox}
        text={text}
        onText={setText}
        canSubmit={thread.canSubmit}
        isRunning={isRunning}
        onSubmit={(message, options) => {
          const isTaken = thread.submit(message, options);
          // One wants to see what one has sent.
          if (isTaken) end.go();
          return isTaken;
        }}
        onCancel={() => void thread.cancel()}
      />
      <p role="status" className="visually-hidden">
        {thread.announcement}
      </p>
    </DropZone>
  );
}

const Empty = ({ isDraft }: { readonly isDraft: boolean }) => (
  <div className="welcome">
    <MessageIcon />
    <h2>{isDraft ? 'New thread' : 'No messages yet'}</h2>
    <p className="muted">
      {isDraft
        ? 'Your first message creates the thread and starts its first run.'
        : 'Your message starts the first run of this thread.'}
    </p>
  </div>
);

const Skeleton = () => (
  <div className="skeleton" aria-hidden="true">
    <i />
    <i />
    <i />
  </div>
);
