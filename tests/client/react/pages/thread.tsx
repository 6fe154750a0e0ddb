import { type Client, createClient, type RunEvent } from '@thread-run-service/client';
import {
  ClientProvider,
  type UseThread,
  useRunMonitoring,
  useThread,
} from '@thread-run-service/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

/* The page of the hook's tests: it shows a thread in two places, and gives the tests what the hook returned. */

/** What the test gives to the page before it runs. */
declare const world: { readonly baseUrl: string; readonly projectId: string; readonly tokens: string[] };

let asked = 0;
const client: Client = createClient({
  ...world,
  // One token after the other, as a renewed one; the last one stays.
  token: () => world.tokens[Math.min(asked++, world.tokens.length - 1)] ?? '',
  timing: { retryMs: 5, maxRetryMs: 50 },
});

interface Render {
  readonly threadId: string | null;
  readonly thread: UseThread;
}

function Thread({ threadId }: { threadId: string | null }) {
  const thread = useThread({
    client,
    threadId,
    onThreadCreated: (id) => {
      test.created.push(id);
      test.show(id);
    },
    onEvent: (event) => test.events.push(event),
  });
  test.thread = thread;
  test.renders.push({ threadId, thread });
  return (
    <section>
      <ol>
        {thread.messages.map(({ id, role, status, content }) => (
          <li key={id} className={`${role} ${status}`}>
            {content}
          </li>
        ))}
      </ol>
      <p role="status">{thread.announcement}</p>
    </section>
  );
}

function Messages({ threadId }: { threadId: string }) {
  return <output>{useThread({ client, threadId }).messages.map(({ content }) => content)}</output>;
}

function Monitor({ threadId }: { threadId: string }) {
  // The document's call, as it is written there.
  const { runData, isLoading, error, createRun } = useRunMonitoring(world.projectId, threadId);
  test.monitor = { runData, isLoading, error, createRun };
  return <p>{isLoading ? 'Loading' : (error ?? runData?.status)}</p>;
}

let root: ReturnType<typeof createRoot> | undefined;

const render = (element: React.ReactNode) => {
  root ??= createRoot(document.getElementById('root') as HTMLElement);
  root.render(<StrictMode>{element}</StrictMode>);
};

const test = {
  client,
  thread: undefined as UseThread | undefined,
  monitor: undefined as unknown,
  renders: [] as Render[],
  events: [] as RunEvent[],
  created: [] as string[],
  tokensAsked: () => asked,
  show: (threadId: string | null) =>
    render(
      <>
        <Thread threadId={threadId} />
        {threadId !== null && <Messages threadId={threadId} />}
      </>,
    ),
  monitorRuns: (threadId: string) =>
    render(
      <ClientProvider client={client}>
        <Monitor threadId={threadId} />
      </ClientProvider>,
    ),
  leave: () => {
    root?.unmount();
    root = undefined;
  },
};
Object.assign(window, { test });
