import type { Assistant } from '../../shared/model/assistant.ts';
import type { Project } from '../../shared/model/project.ts';
import type { Documents } from './documents.ts';

/** What the developer's files hold at one time. */
export interface OwnState {
  readonly assistants: readonly Assistant[];
  readonly projects: readonly Project[];
  /** By folder. */
  readonly documents: ReadonlyMap<string, Documents>;
}

/** Describes what has changed, a line each. Names ids and names only, never instructions. */
export function describeChanges(before: OwnState, after: OwnState): string[] {
  const lines: string[] = [];
  for (const { kind, value } of compare(before.assistants, after.assistants, ({ id }) => id)) {
    lines.push(`assistant ${value.id} (${value.name}) ${kind}`);
  }
  for (const { kind, value } of compare(before.projects, after.projects, ({ projectId }) => projectId)) {
    const { projectId, name, assistantId } = value;
    if (kind === 'removed') {
      lines.push(
        `project ${projectId} is not in the file any more; npm run projects -- remove ${projectId} removes it`,
      );
    } else {
      const token = kind === 'added' ? `; a token for it: npm run token -- --project ${projectId}` : '';
      lines.push(`project ${projectId} (${name}) ${kind}, with the assistant ${assistantId}${token}`);
    }
  }
  const folders = new Set([...before.documents.keys(), ...after.documents.keys()]);
  for (const name of folders) {
    const now = after.documents.get(name);
    if (before.documents.get(name)?.fingerprint === now?.fingerprint) continue;
    lines.push(`documents of ${name} changed, ${now?.count ?? 0} in all`);
  }
  return lines;
}

interface Change<T> {
  readonly kind: 'added' | 'changed' | 'removed';
  readonly value: T;
}

function compare<T>(before: readonly T[], after: readonly T[], idOf: (value: T) => string): Change<T>[] {
  const former = new Map(before.map((value) => [idOf(value), JSON.stringify(value)]));
  const ids = new Set(after.map(idOf));
  const kindOf = (value: T) => (former.has(idOf(value)) ? 'changed' : 'added');
  return [
    ...after
      .filter((value) => former.get(idOf(value)) !== JSON.stringify(value))
      .map((value) => ({ kind: kindOf(value), value }) as const),
    ...before.filter((value) => !ids.has(idOf(value))).map((value) => ({ kind: 'removed', value }) as const),
  ];
}
