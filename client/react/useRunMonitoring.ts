import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from 'react';
import { type Client, type CreatedRun, type Run, RunFailedError } from '../src/index.ts';

const ClientContext = createContext<Client | null>(null);

/** Gives a client to `useRunMonitoring` in the components below. */
export function ClientProvider(props: {
  readonly client: Client;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(ClientContext.Provider, { value: props.client }, props.children);
}

/** A run with what was posted, its status as it changes and, once it has ended, how. */
export type MonitoredRun = Omit<Run, 'instructions' | 'userMessage' | 'expiresAt'> &
  Pick<CreatedRun, 'instructions' | 'userMessage'> & { readonly finalStatus: Run | null };

export interface RunMonitoring {
  /** The latest run; null before the first one. */
  readonly runData: MonitoredRun | null;
  /** From the create of a run to its end. */
  readonly isLoading: boolean;
  /** Why the create or the run failed, for people; null if neither did. */
  readonly error: string | null;
  /** Posts a message and monitors its run. Does nothing while it monitors one. Never rejects. */
  readonly createRun: (message: string, instructions?: string) => Promise<void>;
}

type Monitored = Omit<RunMonitoring, 'createRun'>;

const nothing: Monitored = { runData: null, isLoading: false, error: null };

/**
 * Posts messages to a thread and monitors their runs. Unmounting, and changing to another thread, end the monitoring and not
 * the run.
 * @param client by default, that of the `ClientProvider`; it must be one of this project.
 * @throws {Error} without a client of this project.
 */
export function useRunMonitoring(projectId: string, threadId: string, client?: Client): RunMonitoring {
  const provided = useContext(ClientContext);
  const used = client ?? provided;
  if (used?.projectId.toLowerCase() !== projectId.toLowerCase())
    throw new Error(
      `useRunMonitoring needs a client of the project ${projectId}: wrap it in a ClientProvider`,
    );

  // One for each thread, so that nothing of another one is shown.
  const thread = useMemo(() => new MonitoredThread(used, threadId), [used, threadId]);
  const [state, setState] = useState<{ readonly of: MonitoredThread; readonly monitored: Monitored }>();
  useEffect(() => () => thread.leave(), [thread]);
  const createRun = useCallback(
    (message: string, instructions?: string) =>
      thread.createRun(message, instructions, (monitored) => setState({ of: thread, monitored })),
    [thread],
  );
  return { ...(state?.of === thread ? state.monitored : nothing), createRun };
}

class MonitoredThread {
  readonly #client: Client;
  readonly #threadId: string;
  #monitoring: AbortController | undefined;
  #monitored: Monitored = nothing;

  constructor(client: Client, threadId: string) {
    this.#client = client;
    this.#threadId = threadId;
  }

  /** Ends the monitoring. */
  leave(): void {
    this.#monitoring?.abort();
    this.#monitoring = undefined;
    this.#monitored = nothing;
  }

  async createRun(
    message: string,
    instructions: string | undefined,
    show: (monitored: Monitored) => void,
  ): Promise<void> {
    if (this.#monitoring) return;
    const monitoring = new AbortController();
    const { signal } = monitoring;
    this.#monitoring = monitoring;
    const change = (changes: Partial<Monitored>) => {
      if (signal.aborted) return;
      this.#monitored = { ...this.#monitored, ...changes };
      show(this.#monitored);
    };
    change({ isLoading: true, error: null });
    try {
      const request = { message, ...(instructions !== undefined && { instructions }) };
      // Not aborted with the monitoring: what was posted is posted.
      const created = await this.#client.runs.create(this.#threadId, request);
      change({ runData: { ...created, finalStatus: null } });
      const posted = { instructions: created.instructions, userMessage: created.userMessage };
      for await (const { event, data } of this.#client.runs.follow(this.#threadId, created.runId, {
        signal,
      })) {
        if (event !== 'run') continue;
        const finalStatus = data.completedAt === null ? null : data;
        change({ runData: { ...data, ...posted, finalStatus } });
        if (finalStatus && finalStatus.status !== 'completed') throw new RunFailedError(finalStatus);
      }
    } catch (error) {
      change({ error: toText(error) });
    }
    change({ isLoading: false });
    if (this.#monitoring === monitoring) this.#monitoring = undefined;
  }
}

/** Returns an error's text for people: the run's own, if it says why it failed. */
function toText(error: unknown): string {
  if (error instanceof RunFailedError && error.run.errorMessage) return error.run.errorMessage;
  return error instanceof Error ? error.message : String(error);
}
