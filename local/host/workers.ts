import type { ServerResponse } from 'node:http';
import { startWorker, type WorkerChannel } from './workerChannel.ts';

/** The workers of a host: one, and for a while the one that it replaces. */
export interface Workers extends Omit<WorkerChannel, 'close'> {
  /** Returns the worker for a request, which is kept until the response is closed. */
  serving(response: ServerResponse): WorkerChannel;
  /** Replaces the worker by one with the environment of now. Requests in progress end in the former one. */
  replace(): Promise<void>;
  close(): Promise<void>;
}

/**
 * How long a worker that serves no request any more goes on, in milliseconds: longer than the app reads the stream of a
 * create that has responded.
 */
const graceMs = 20_000;

interface Member {
  readonly channel: WorkerChannel;
  /** Requests and invocations in progress. */
  uses: number;
  replaced: boolean;
  timer?: NodeJS.Timeout;
}

/** Starts a host's worker. @throws {Error} when the app cannot be loaded. */
export async function startWorkers(options: Parameters<typeof startWorker>[0]): Promise<Workers> {
  const members = new Set<Member>();
  const add = async (): Promise<Member> => {
    const member: Member = { channel: await startWorker(options), uses: 0, replaced: false };
    members.add(member);
    return member;
  };
  const end = async (member: Member) => {
    clearTimeout(member.timer);
    members.delete(member);
    await member.channel.close();
  };
  const use = (member: Member) => {
    member.uses++;
    clearTimeout(member.timer);
    return () => {
      member.uses--;
      endWhenIdle(member);
    };
  };
  const endWhenIdle = (member: Member) => {
    if (!member.replaced || member.uses > 0 || !members.has(member)) return;
    member.timer = setTimeout(() => void end(member), graceMs).unref();
  };

  let current = await add();
  return {
    ready: () => current.channel.ready(),
    invoke: async (invocation) => {
      const release = use(current);
      return current.channel.invoke(invocation).finally(release);
    },
    serving: (response) => {
      response.once('close', use(current));
      return current.channel;
    },
    replace: async () => {
      const former = current;
      current = await add();
      former.replaced = true;
      endWhenIdle(former);
    },
    get openInvocations() {
      return [...members].reduce((sum, { channel }) => sum + channel.openInvocations, 0);
    },
    get starts() {
      return current.channel.starts;
    },
    close: async () => void (await Promise.all([...members].map(end))),
  };
}
