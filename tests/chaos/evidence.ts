import type { EngineRun } from '../support/engine.ts';
import { rowsOf } from '../support/table.ts';
import type { Cluster } from './cluster.ts';

/** A row of the table `threads`, with its parsed keys. */
export interface Row {
  readonly projectId: string;
  readonly threadId: string;
  readonly rowKey: string;
  // biome-ignore lint/suspicious/noExplicitAny: rows of all kinds.
  readonly columns: Record<string, any>;
}

/** Reads all records of store and engine, bypassing the service. */
export interface Evidence {
  readonly threads: readonly Row[];
  readonly runs: readonly Row[];
  readonly responses: readonly EngineRun[];
}

export async function collect({ projectIds, engine }: Cluster): Promise<Evidence> {
  const [found, responses] = await Promise.all([Promise.all(projectIds.map(rowsOf)), engine.runs()]);
  const rows = found.flat().map((columns): Row => {
    const [projectId = '', threadId = ''] = String(columns['partitionKey']).split(':');
    return { projectId, threadId, rowKey: String(columns['rowKey']), columns };
  });
  return {
    threads: rows.filter(({ rowKey }) => rowKey === 'thread'),
    runs: rows.filter(({ rowKey }) => rowKey.startsWith('run_')),
    responses,
  };
}

export const isUnfinished = ({ columns }: Row): boolean =>
  ['queued', 'in_progress', 'requires_action'].includes(columns['status']);

export const isRunning = ({ status }: EngineRun): boolean => ['queued', 'in_progress'].includes(status);

/** Returns unfinished work: active runs, threads with an active run, incomplete deletions. */
export const unsettled = ({ threads, runs }: Evidence): Row[] => [
  ...runs.filter((row) => isUnfinished(row) || row.columns['removed']),
  ...threads.filter(({ columns }) => columns['closed'] || columns['activeRunId']),
];
