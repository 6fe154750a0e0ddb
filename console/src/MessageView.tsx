import type { Client, ToolOutputsRequest } from '@thread-run-service/client';
import type { MessagePart, ThreadMessage } from '@thread-run-service/client/react';
import { memo } from 'react';
import { Attachment } from './Attachments.tsx';
import { CopyButton } from './CopyId.tsx';
import { day, stamp } from './format.ts';
import { Markdown } from './Markdown.tsx';
import { Sources } from './Sources.tsx';
import { Approval, ToolCall } from './ToolCall.tsx';

interface Props {
  readonly client: Client;
  readonly threadId: string | undefined;
  readonly message: ThreadMessage;
  /** Whether the panel beside shows its run. */
  readonly isShownRun: boolean;
  readonly onShowRun: (runId: string) => void;
  readonly onRespond: (outputs: ToolOutputsRequest) => void;
  readonly onDiscard: (message: ThreadMessage) => void;
}

/** A message, or what a run asks for. */
export const MessageView = memo(
  (props: Props) => {
    const { message } = props;
    const { role, status, commentary } = message;
    const author = role === 'user' ? 'You' : commentary ? 'Commentary' : 'Assistant';
    return (
      <article className={`message ${role}`} data-status={status} data-commentary={commentary || undefined}>
        <h2 className={commentary ? 'author' : 'visually-hidden'}>{author}</h2>
        {role === 'user' ? <UserMessage {...props} /> : <Reply {...props} />}
      </article>
    );
  },
  // The callbacks are new with each rendering, and do the same.
  (before, after) =>
    before.message === after.message &&
    before.isShownRun === after.isShownRun &&
    before.threadId === after.threadId,
);

function UserMessage({ client, message, onDiscard }: Props) {
  return (
    <>
      {message.attachments.length > 0 && (
        <div className="attachments">
          {message.attachments.map((attachment) => (
            <Attachment key={attachment.fileId} client={client} attachment={attachment} />
          ))}
        </div>
      )}
      <div className="bubble" dir="auto">
        {message.content}
      </div>
      <div className="facts">
        {message.status === 'failed' ? (
          <>
            <span className="not-sent">Not sent</span>
            <button type="button" className="small quiet" onClick={() => onDiscard(message)}>
              Edit
            </button>
          </>
        ) : (
          <Time at={message.createdAt} />
        )}
      </div>
    </>
  );
}

function Reply({ client, threadId, message, isShownRun, onShowRun, onRespond }: Props) {
  const { parts, status, runId, content } = message;
  return (
    <>
      {parts.map((part, index) => (
        <Part key={keyOf(part, index)} part={part} isWaiting={status === 'waiting'} onRespond={onRespond} />
      ))}
      {status === 'streaming' && <span className="caret" aria-hidden="true" />}
      {threadId !== undefined && <Sources client={client} threadId={threadId} parts={parts} />}
      {status === 'incomplete' && (
        <p className="muted">
          {content === ''
            ? 'The run ended without an answer to this.'
            : 'The run ended before this message did.'}
        </p>
      )}
      {status === 'complete' && content !== '' && (
        <div className="facts">
          <Time at={message.createdAt} />
          <CopyButton text={content} label="Copy" />
          {runId !== null && (
            <button
              type="button"
              className="small"
              aria-pressed={isShownRun}
              onClick={() => onShowRun(runId)}
            >
              Show run
            </button>
          )}
        </div>
      )}
    </>
  );
}

const keyOf = (part: MessagePart, index: number): string =>
  part.type === 'tool_call'
    ? part.toolCallId
    : part.type === 'approval'
      ? part.approvalId
      : `${part.type} ${index}`;

interface PartProps {
  readonly part: MessagePart;
  readonly isWaiting: boolean;
  readonly onRespond: (outputs: ToolOutputsRequest) => void;
}

function Part({ part, isWaiting, onRespond }: PartProps) {
  switch (part.type) {
    case 'text':
      return <Markdown text={part.text} />;
    case 'refusal':
      return (
        <p className="refusal" dir="auto">
          {part.text}
        </p>
      );
    case 'tool_call':
      return <ToolCall call={part} isWaiting={isWaiting} onRespond={onRespond} />;
    case 'approval':
      return <Approval approval={part} isWaiting={isWaiting} onRespond={onRespond} />;
  }
}

const Time = ({ at }: { readonly at: string | null }) =>
  at === null ? null : (
    <time dateTime={at} title={stamp(at)}>
      {day(at)}
    </time>
  );
