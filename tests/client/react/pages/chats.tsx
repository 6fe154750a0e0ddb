import { Chat as HookChat } from 'guide:client/react';
import { Chat as KitChat } from 'guide:client/react/assistant-ui';
import {
  ActionBarPrimitive,
  AssistantRuntimeProvider,
  AttachmentPrimitive,
  ComposerPrimitive,
  MessagePrimitive,
  ThreadPrimitive,
  type ToolCallMessagePartProps,
  useAuiState,
} from '@assistant-ui/react';
import { createClient } from '@thread-run-service/client';
import { type RuntimeExtras, useThreadRunRuntime } from '@thread-run-service/client/react/assistant-ui';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

/* The page of the chats: the guide's two, and one with everything that assistant-ui gets from the adapter. */

declare const world: { readonly baseUrl: string; readonly projectId: string; readonly tokens: string[] };

const client = createClient({
  ...world,
  token: world.tokens[0] ?? '',
  timing: { retryMs: 5, maxRetryMs: 50 },
});

const Tool = ({
  toolName,
  argsText,
  result,
  approval,
  addResult,
  respondToApproval,
}: ToolCallMessagePartProps) => (
  <fieldset>
    <legend>{`${toolName} ${argsText}`}</legend>
    {result !== undefined && <output>{String(result)}</output>}
    {approval?.approved !== undefined && <output>{approval.approved ? 'approved' : 'denied'}</output>}
    <button type="button" onClick={() => addResult({ status: 'shipped' })}>
      Give result
    </button>
    <button type="button" onClick={() => respondToApproval({ approved: true })}>
      Approve
    </button>
  </fieldset>
);

const Attachment = () => (
  <AttachmentPrimitive.Root className="attachment">
    <AttachmentPrimitive.Name />
  </AttachmentPrimitive.Root>
);

const ComposerAttachment = () => (
  <AttachmentPrimitive.Root data-status={useAuiState(({ attachment }) => attachment.status.type)}>
    <AttachmentPrimitive.Name />
    <AttachmentPrimitive.Remove>Remove</AttachmentPrimitive.Remove>
  </AttachmentPrimitive.Root>
);

const feedback: string[] = [];

/** What a product gives to the kit besides. */
const extras: RuntimeExtras = {
  adapters: { feedback: { submit: ({ type }) => void feedback.push(type) } },
};

const Message = () => (
  <MessagePrimitive.Root>
    <MessagePrimitive.Attachments components={{ Attachment }} />
    <MessagePrimitive.Parts
      components={{
        tools: { Fallback: Tool },
        Source: ({ title }) => <cite>{title}</cite>,
        Image: ({ image, filename }) => <img src={image} alt={filename} />,
        File: ({ data, filename }) => (
          <a href={data} download={filename}>
            {filename}
          </a>
        ),
      }}
    />
    <MessagePrimitive.If assistant>
      <ActionBarPrimitive.FeedbackPositive>Helpful</ActionBarPrimitive.FeedbackPositive>
    </MessagePrimitive.If>
    <MessagePrimitive.Error>
      <p role="alert">
        <ActionBarPrimitive.Reload>Reload</ActionBarPrimitive.Reload>
      </p>
    </MessagePrimitive.Error>
  </MessagePrimitive.Root>
);

function FullChat({ threadId }: { threadId: string | null }) {
  return (
    <AssistantRuntimeProvider runtime={useThreadRunRuntime({ client, threadId }, extras)}>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Messages components={{ Message }} />
        <ComposerPrimitive.Root>
          <ComposerPrimitive.Attachments components={{ Attachment: ComposerAttachment }} />
          <ComposerPrimitive.AddAttachment>Attach</ComposerPrimitive.AddAttachment>
          <ComposerPrimitive.Input aria-label="Message" />
          <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
          <ComposerPrimitive.Cancel>Stop</ComposerPrimitive.Cancel>
        </ComposerPrimitive.Root>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

const root = createRoot(document.getElementById('root') as HTMLElement);
const render = (chat: React.ReactNode) => root.render(<StrictMode>{chat}</StrictMode>);

Object.assign(window, {
  test: {
    feedback,
    showHookChat: (threadId: string | null) => render(<HookChat client={client} threadId={threadId} />),
    showKitChat: (threadId: string | null) => render(<KitChat client={client} threadId={threadId} />),
    showFullChat: (threadId: string | null) => render(<FullChat threadId={threadId} />),
  },
});
