import type { StoredAssistant } from '../../shared/model/storedAssistant.ts';
import { NotBrought, toWord } from './notBrought.ts';
import type { Export, ExportedObject } from './readExport.ts';
import {
  directionOfMessages,
  groupThreads,
  type ImportedThread,
  type ThreadParts,
  toThread,
  withoutRepetitions,
} from './readThreads.ts';
import { type Direction, directionOf } from './times.ts';
import { toAssistant } from './toAssistant.ts';

/** Something that cannot be brought. */
export interface Problem {
  readonly what: string;
  readonly why: string;
}

/** What an export can bring to a project. */
export interface Plan {
  readonly assistants: readonly StoredAssistant[];
  readonly threads: readonly ImportedThread[];
  readonly problems: readonly Problem[];
  /** What is left out of objects that are brought: how often. */
  readonly leftOut: ReadonlyMap<string, number>;
}

export interface PlanOptions {
  readonly projectId: string;
  /** Those that are configured. */
  readonly models: ReadonlySet<string>;
  readonly withoutFiles: boolean;
  /** Order of messages whose times do not tell it. */
  readonly order: Direction;
}

/** Kinds of objects that are read, or belong to what is. */
const ownKinds = ['assistant', 'thread', 'thread.message'];
const runKinds = ['thread.run', 'thread.run.step'];

/** Plans what to bring of an export. Asks neither the store nor the engine. */
export function makePlan(content: Export, options: PlanOptions): Plan {
  const problems: Problem[] = content.issues.map((issue) => ({ what: 'file', why: issue }));
  const leftOut = new Map<string, number>();
  const leaveOut = (what: string) => void leftOut.set(what, (leftOut.get(what) ?? 0) + 1);
  for (const name of content.otherFiles) leaveOut(`file ${name}`);
  for (const { kind } of content.objects) if (runKinds.includes(kind)) leaveOut(`a ${kind}`);
  problems.push(...findUnknown(content));
  /** Translates an object. What it leaves out counts only if it is brought. */
  const bring = <T>(what: string, translate: (leaveOut: (what: string) => void) => T): T[] => {
    const own: string[] = [];
    try {
      const brought = translate((one) => void own.push(one));
      own.forEach(leaveOut);
      return [brought];
    } catch (error) {
      if (!(error instanceof NotBrought)) throw error;
      problems.push({ what, why: error.message });
      return [];
    }
  };
  const { projectId, models, withoutFiles, order } = options;
  const exported = content.objects.filter(({ kind }) => kind === 'assistant');
  const assistants = [...Map.groupBy(exported, ({ value }) => value['id'])].flatMap(([id, objects]) =>
    bring(`assistant ${toWord(id).replaceAll("'", '')}`, (own) => {
      const [one] = withoutRepetitions(objects, 'the assistant');
      return toAssistant(one?.value ?? {}, projectId, models, { withoutFiles, leaveOut: own });
    }),
  );
  const parts = groupThreads(content);
  const orderOf = findOrders(parts);
  const threads = parts.flatMap((one) =>
    bring(`thread ${one.threadId}`, (own) => toThread(one, { withoutFiles, order, orderOf, leaveOut: own })),
  );
  return { assistants, threads, problems, leftOut };
}

/** Finds what is of an unknown kind or belongs to no thread, and lists of which pages are missing. */
function findUnknown({ objects, pages }: Export): Problem[] {
  const problems: Problem[] = [];
  for (const { kind, value, place } of objects) {
    const id = kind === 'thread' ? value['id'] : value['thread_id'];
    if (![...ownKinds, ...runKinds].includes(kind)) {
      problems.push({ what: place, why: `object: unknown kind ${toWord(kind)}` });
    } else if (/^thread(\.message)?$/.test(kind) && !/^thread_[A-Za-z0-9]{1,57}$/.test(String(id))) {
      const name = kind === 'thread' ? 'id' : 'thread_id';
      problems.push({ what: place, why: `${name}: not an id of a thread` });
    }
  }
  for (const kind of ['assistant', 'thread']) {
    const own = pages.filter(({ first }) => first?.kind === kind);
    if (own.length > 0 && own.every(({ hasMore }) => hasMore)) {
      problems.push({ what: `list of ${kind}s`, why: 'the last page is missing: all have has_more' });
    }
  }
  return problems;
}

/** Returns the order of messages in each file, as far as the times of its threads tell. */
function findOrders(threads: readonly ThreadParts[]): (file: string) => Direction {
  const byFile = Map.groupBy(threads, ({ messages }) => (messages[0] as ExportedObject | undefined)?.file);
  const orders = new Map(
    [...byFile].map(([file, own]) => {
      const steps = own.map(({ messages }) => directionOfMessages(messages));
      return [file, directionOf([0, steps.reduce<number>((sum, step) => sum + step, 0)])] as const;
    }),
  );
  return (file) => orders.get(file) ?? 0;
}
