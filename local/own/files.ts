import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { assistantIssues } from '../../shared/assistants/assistants.ts';
import type { Assistant } from '../../shared/model/assistant.ts';
import type { Project } from '../../shared/model/project.ts';
import { parseProjects } from '../../shared/projects/projects.ts';
import { projectFolder, type Settings } from '../localSettings.ts';

/* The developer's own assistants and projects, which `npm start` uses besides the demo's. */

export interface OwnPaths {
  /** Folder of the assistants, a JSON file each. */
  readonly assistants: string;
  /** JSON file with an array of projects. */
  readonly projects: string;
  /** Folder of documents: a folder for each project or vector store. */
  readonly documents: string;
}

/** Returns where the developer's files are, as settings say or else in `infra/`. */
export function ownPathsOf(settings: Settings): OwnPaths {
  const path = (name: string, standard: string) => resolve(projectFolder, settings[name] || standard);
  return {
    assistants: path('LOCAL_ASSISTANTS_DIR', 'infra/assistants'),
    projects: path('LOCAL_PROJECTS_FILE', 'infra/projects.json'),
    documents: path('LOCAL_DOCUMENTS_DIR', 'infra/documents'),
  };
}

export interface OwnFiles {
  readonly assistants: readonly Assistant[];
  readonly projects: readonly Project[];
}

/** Lists what is wrong with the files, each issue with its file. Quotes nothing of them but names. */
export class OwnFilesError extends Error {
  constructor(issues: readonly string[]) {
    super(issues.map((issue) => `  - ${issue}`).join('\n'));
    this.name = 'OwnFilesError';
  }
}

/**
 * Reads the assistants and projects. Files that are not there count as empty.
 * @param others ids of assistants that projects may use as well.
 * @throws {OwnFilesError} listing every issue.
 */
export function readOwnFiles(paths: OwnPaths, others: readonly string[]): OwnFiles {
  const issues: string[] = [];
  const assistants = readAssistants(paths.assistants, issues);
  const ids = [...others, ...assistants.map(({ id }) => id)];
  const projects = readProjects(paths.projects, new Map(ids.map((id) => [id, true])), issues);
  if (issues.length > 0) throw new OwnFilesError(issues);
  return { assistants, projects };
}

/** Returns the names of the JSON files in a folder of assistants. */
export const assistantFiles = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .sort()
    : [];

function readAssistants(folder: string, issues: string[]): Assistant[] {
  const assistants: Assistant[] = [];
  for (const name of assistantFiles(folder)) {
    const value = readJson(join(folder, name), issues) as Assistant | undefined;
    if (value === undefined) continue;
    const found = assistantIssues(value);
    if (found.length === 0 && assistants.some(({ id }) => id === value.id))
      found.push(`the id ${value.id} is taken`);
    issues.push(...found.map((issue) => `${shownPath(join(folder, name))}: ${issue}`));
    assistants.push(value);
  }
  return assistants;
}

function readProjects(file: string, assistants: ReadonlyMap<string, unknown>, issues: string[]): Project[] {
  if (!existsSync(file)) return [];
  const value = readJson(file, issues);
  // A missing assistant would only repeat what is wrong with its file.
  if (value === undefined || issues.length > 0) return [];
  try {
    return parseProjects(value, assistants);
  } catch (error) {
    const found = (error as Error).message.split('\n').filter((line) => line.startsWith('  - '));
    issues.push(...found.map((line) => `${shownPath(file)}: ${line.slice(4)}`));
    return [];
  }
}

function readJson(file: string, issues: string[]): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The parser's message may quote the file.
    const place = /\(line \d+ column \d+\)/.exec(message)?.[0];
    issues.push(
      `${shownPath(file)} ${code ? `cannot be read (${code})` : ['is not valid JSON', place].filter(Boolean).join(' ')}`,
    );
    return undefined;
  }
}

/** Returns a path as a developer would type it in the project's folder. */
export function shownPath(path: string): string {
  const inside = relative(projectFolder, path);
  return inside.startsWith('..') ? path : inside || basename(path);
}
