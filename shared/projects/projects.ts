import { Ajv2020 } from 'ajv/dist/2020.js';
import schema from '../model/project.schema.json' with { type: 'json' };
import { normalProjectId, type Project } from '../model/project.ts';

/**
 * Validates an array of project records against the schema and the configured assistants.
 * @returns the projects, with their ids in normal form.
 * @throws {Error} listing every issue with its location.
 */
export function parseProjects(value: unknown, assistants: ReadonlyMap<string, unknown>): Project[] {
  const check = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    meta: false,
    validateSchema: false,
  }).compile<Project[]>(schema);
  if (!check(value)) {
    throw invalid(
      (check.errors ?? []).map(({ instancePath, message, params }) => {
        const unknown = params['additionalProperty'];
        const issue = unknown === undefined ? message : `has an unknown field "${unknown}"`;
        return `${instancePath || 'the file'} ${issue}`;
      }),
    );
  }
  const issues: string[] = [];
  const seen = new Set<string>();
  const projects = value.map((project) => ({ ...project, projectId: normalProjectId(project.projectId) }));
  for (const { projectId, assistantId } of projects) {
    if (seen.has(projectId)) issues.push(`${projectId} is listed twice`);
    if (!assistants.has(assistantId))
      issues.push(`${projectId}: ASSISTANTS has no assistant "${assistantId}"`);
    seen.add(projectId);
  }
  if (issues.length > 0) throw invalid(issues);
  return projects;
}

const invalid = (issues: readonly string[]) =>
  new Error(`The projects are not valid:\n${issues.map((issue) => `  - ${issue}`).join('\n')}`);
