import { useCallback, useEffect, useRef, useState } from 'react';
import { Conversation } from './Conversation.tsx';
import { Documents } from './Documents.tsx';
import { Help } from './Help.tsx';
import { RunPanel } from './RunPanel.tsx';
import type { Session } from './session.ts';
import { Threads } from './Threads.tsx';
import { TopBar } from './TopBar.tsx';
import type { Drafts } from './useDraft.ts';
import { useReturn } from './useReturn.ts';
import { useShortcuts } from './useShortcuts.ts';
import { useThreadInUrl } from './useThreadInUrl.ts';
import { useThreads } from './useThreads.ts';

interface Props {
  readonly session: Session;
  readonly onProject: (projectId: string) => void;
  readonly onSignOut: () => void;
}

interface RunOfThread {
  readonly threadId: string;
  readonly runId: string;
}

const runTab = '.run-panel [role=tab][aria-selected=true]';

/** What a screen without room for three panes shows. */
type View = 'threads' | 'conversation' | 'run';

const views: readonly (readonly [View, string])[] = [
  ['threads', 'Threads'],
  ['conversation', 'Conversation'],
  ['run', 'Run'],
];

/** The signed-in page: threads, a conversation, and its runs. */
export function Workspace({ session, onProject, onSignOut }: Props) {
  const { client, recorder } = session;
  const [threadId, openThread] = useThreadInUrl();
  const threads = useThreads(client, threadId);
  const { reload, setTitle } = threads;
  const drafts = useRef<Drafts>(new Map());
  const [view, setView] = useState<View>('conversation');
  const [dialog, setDialog] = useState<'documents' | 'help'>();
  const [chosen, setChosen] = useState<RunOfThread>();
  const [newest, setNewest] = useState<RunOfThread>();
  /** The new conversation: it stays the same when its first message creates its thread. */
  const [draft, setDraft] = useState<{ readonly key: number; readonly threadId?: string }>({ key: 0 });

  const open = useCallback(
    (id: string | undefined) => {
      if (id === undefined) setDraft(({ key }) => ({ key: key + 1 }));
      openThread(id);
      setView('conversation');
      focusIfLost('.message-box');
    },
    [openThread],
  );
  const onCreated = useCallback(
    (id: string) => {
      setDraft(({ key }) => ({ key, threadId: id }));
      openThread(id);
      reload();
    },
    [openThread, reload],
  );
  // A run that begins is what one wants to see.
  const onRun = useCallback((ofThread: string, runId: string) => {
    setNewest({ threadId: ofThread, runId });
    setChosen(undefined);
  }, []);
  const [readings, setReadings] = useState(0);
  const readAgain = useCallback(() => setReadings((count) => count + 1), []);
  const readRuns = useCallback(() => {
    setNewest(undefined);
    readAgain();
  }, [readAgain]);
  // Meanwhile, others may have started one.
  useReturn(readRuns);
  const onFailure = useCallback(() => {
    setChosen(undefined);
    readRuns();
  }, [readRuns]);
  const showRun = (runId: string) => {
    if (threadId !== undefined) setChosen({ threadId, runId });
    setView('run');
    focusIfLost(runTab);
  };
  /** Moves the focus to what a change of view is about to show. */
  const goTo = (next: View, selector: string) => {
    setView(next);
    requestAnimationFrame(() => document.querySelector<HTMLElement>(selector)?.focus());
  };
  useShortcuts((code) => {
    if (code === 'KeyN') open(undefined);
    else if (code === 'KeyT') goTo('threads', '.threads a[aria-current], .threads button');
    else if (code === 'KeyM') goTo('conversation', '.message-box');
    else if (code === 'KeyR') goTo('run', runTab);
    else return false;
    return true;
  });
  const title = threadId === undefined ? undefined : threads.titles[threadId];
  useEffect(() => {
    document.title = `${title || 'Console'} · Thread-run service`;
  }, [title]);

  const runId = [chosen, newest].find((run) => run !== undefined && run.threadId === threadId)?.runId;
  const isDraft = threadId === undefined || threadId === draft.threadId;
  return (
    <div className="workspace" data-view={view}>
      <TopBar
        session={session}
        onProject={(projectId) => {
          openThread(undefined);
          onProject(projectId);
        }}
        onSignOut={onSignOut}
        onDocuments={() => setDialog('documents')}
        onHelp={() => setDialog('help')}
      />
      <nav className="views" aria-label="Views">
        {views.map(([name, label]) => (
          <button
            key={name}
            type="button"
            className={`view-${name}`}
            aria-pressed={view === name}
            onClick={() => setView(name)}
          >
            {label}
          </button>
        ))}
      </nav>
      <main className="panes">
        <Threads threads={threads} current={threadId} onOpen={open} />
        <section className="conversation" aria-label="Conversation">
          <Conversation
            key={isDraft ? `draft ${draft.key}` : threadId}
            client={client}
            threadId={threadId}
            shownRun={runId}
            drafts={drafts.current}
            onCreated={onCreated}
            onRun={onRun}
            onStatus={readAgain}
            onFailure={onFailure}
            onShowRun={showRun}
            onTitle={setTitle}
          />
        </section>
        <RunPanel
          client={client}
          recorder={recorder}
          threadId={threadId}
          runId={runId}
          readings={readings}
          onShowRun={showRun}
        />
      </main>
      {dialog === 'documents' && <Documents client={client} onClose={() => setDialog(undefined)} />}
      {dialog === 'help' && <Help onClose={() => setDialog(undefined)} />}
    </div>
  );
}

/** Moves the focus when what had it is hidden by a change of view. */
function focusIfLost(selector: string): void {
  requestAnimationFrame(() => {
    const { activeElement, body } = document;
    // `checkVisibility` is missing from Safari before 17.4.
    if (activeElement === body || !activeElement?.getClientRects().length)
      document.querySelector<HTMLElement>(selector)?.focus();
  });
}
