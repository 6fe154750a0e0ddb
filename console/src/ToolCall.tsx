import type { ToolOutputsRequest } from '@thread-run-service/client';
import type { ApprovalPart, ToolCallPart } from '@thread-run-service/client/react';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { pretty } from './format.ts';
import { ShieldIcon, ToolIcon } from './icons.tsx';

interface Answering {
  /** Whether the run still waits. */
  readonly isWaiting: boolean;
  readonly onRespond: (outputs: ToolOutputsRequest) => void;
}

/** A function that the run asks for: its output is what is typed here. */
export function ToolCall({ call, isWaiting, onRespond }: Answering & { readonly call: ToolCallPart }) {
  const { toolCallId, name, output } = call;
  const [text, setText] = useState('');
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onRespond({ toolOutputs: [{ toolCallId, output: text }] });
  };
  return (
    <Card
      icon={<ToolIcon />}
      kind="Function call"
      title={name}
      args={call.arguments}
      isOpen={isWaiting && output === null}
    >
      {isWaiting && output === null ? (
        <form onSubmit={submit}>
          <label htmlFor={id}>Output of {name}</label>
          <textarea
            id={id}
            className="mono"
            rows={3}
            spellCheck={false}
            placeholder="What the function returned: text, or JSON"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <footer>
            <span className="muted">The run goes on with this output.</span>
            <button type="submit" className="primary">
              Submit output
            </button>
          </footer>
        </form>
      ) : (
        output !== null && <Block label="Output" text={pretty(output)} />
      )}
    </Card>
  );
}

/** A call of a server's tool that needs a decision. */
export function Approval({
  approval,
  isWaiting,
  onRespond,
}: Answering & { readonly approval: ApprovalPart }) {
  const { approvalId, server, tool, approved } = approval;
  const [reason, setReason] = useState('');
  const id = useId();
  const decide = (approve: boolean) =>
    onRespond({ approvals: [{ approvalId, approve, ...(!approve && reason.trim() && { reason }) }] });
  return (
    <Card
      icon={<ShieldIcon />}
      kind="Approval"
      title={`${server} · ${tool}`}
      args={approval.arguments}
      isOpen={isWaiting && approved === null}
    >
      {isWaiting && approved === null ? (
        <>
          <label htmlFor={id}>Reason for a denial, told to the model (optional)</label>
          <input id={id} value={reason} onChange={(event) => setReason(event.target.value)} />
          <footer>
            <span className="muted">The tool runs only if you approve.</span>
            <button type="button" onClick={() => decide(false)}>
              Deny
            </button>
            <button type="button" className="primary" onClick={() => decide(true)}>
              Approve
            </button>
          </footer>
        </>
      ) : (
        <p className="muted">
          {approved === null ? undecided : approved ? 'You approved it.' : 'You denied it.'}
        </p>
      )}
    </Card>
  );
}

const undecided = 'Decided elsewhere, or not at all.';

interface CardProps {
  readonly icon: ReactNode;
  readonly kind: string;
  readonly title: string;
  readonly args: string;
  /** Whether it waits for somebody. */
  readonly isOpen: boolean;
  readonly children: ReactNode;
}

/** What waits for somebody is open; what has been answered takes a line, and opens on demand. */
function Card({ icon, kind, title, args, isOpen, children }: CardProps) {
  const head = (
    <>
      {icon}
      <span className="muted">{kind}</span>
      <code>{title}</code>
    </>
  );
  if (!isOpen) {
    return (
      <details className="call">
        <summary>{head}</summary>
        <Block label="Arguments" text={pretty(args)} />
        {children}
      </details>
    );
  }
  return (
    <section className="call" data-open aria-label={`${kind}: ${title}`}>
      <h3>
        {head}
        <span className="badge" data-tone="warning">
          Waits for you
        </span>
      </h3>
      <Block label="Arguments" text={pretty(args)} />
      {children}
    </section>
  );
}

const Block = ({ label, text }: { readonly label: string; readonly text: string }) => (
  <figure>
    <figcaption>{label}</figcaption>
    <pre tabIndex={0}>{text}</pre>
  </figure>
);
