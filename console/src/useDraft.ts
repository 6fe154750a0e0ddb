import type { ThreadMessage } from '@thread-run-service/client/react';
import { useEffect, useRef, useState } from 'react';

/** Texts that were written but not sent, by thread id; that of the new thread by an empty one. */
export type Drafts = Map<string, string>;

/** Returns the text of the next message, and a function that changes it. It is kept while another thread is open. */
export function useDraft(drafts: Drafts, threadId: string | undefined, messages: readonly ThreadMessage[]) {
  const [text, setText] = useState(() => drafts.get(threadId ?? '') ?? '');
  const latest = useRef({ threadId, text, messages });
  useEffect(() => {
    latest.current = { threadId, text, messages };
  });
  useEffect(() => {
    drafts.delete(latest.current.threadId ?? '');
    return () => {
      const now = latest.current;
      // A thread keeps what could not be sent, but there is none yet.
      const unsent =
        now.threadId === undefined ? now.messages.filter(({ status }) => status === 'failed') : [];
      const rest = [...unsent.map(({ content }) => content), now.text].filter(Boolean).join('\n\n');
      if (rest !== '') drafts.set(now.threadId ?? '', rest);
    };
  }, [drafts]);
  return [text, setText] as const;
}
