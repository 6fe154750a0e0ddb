import { isAssistantId } from '../../shared/model/ids.ts';
import type { StoredAssistant } from '../../shared/model/storedAssistant.ts';
import { applyBody, readNewAssistant } from '../../shared/openai/assistantParams.ts';
import { NotBrought, refuseInWords } from './notBrought.ts';
import { isObject, type JsonObject } from './readExport.ts';
import { toDate } from './times.ts';
import type { ReadOptions } from './toMessage.ts';

/**
 * Translates an exported assistant and checks it as one that an editor creates.
 * @param models those that are configured.
 * @throws {NotBrought} naming what is not known or not possible here.
 */
export function toAssistant(
  value: JsonObject,
  projectId: string,
  models: ReadonlySet<string>,
  options: ReadOptions,
): StoredAssistant {
  const { id, object: _, created_at: created, tools, tool_resources: resources, ...rest } = value;
  if (!isAssistantId(id as string | undefined)) throw new NotBrought('id: not an id of an assistant');
  const body = {
    ...rest,
    ...(Array.isArray(tools) && { tools: tools.map(withoutDefaults) }),
    ...keepResources(resources, options),
  };
  const blank = {
    ...{ projectId, id: id as string, createdAt: toDate(created) },
    ...{ name: '', instructions: '', model: '' },
  };
  return refuseInWords(() => applyBody(blank, readNewAssistant(body, ''), models));
}

/** Returns the property `tool_resources`, unless it is left out, as what refers to files. */
export function keepResources(resources: unknown, options: ReadOptions): { tool_resources?: unknown } {
  if (!options.withoutFiles || !isObject(resources)) return { tool_resources: resources };
  const names = Object.values(resources).flatMap((one) => (isObject(one) ? Object.values(one) : []));
  if (names.some((ids) => Array.isArray(ids) && ids.length > 0)) options.leaveOut('tool_resources');
  return {};
}

/** Removes the ranking that the list routes show of every search for which none was chosen. */
function withoutDefaults(tool: unknown): unknown {
  const search = isObject(tool) && tool['type'] === 'file_search' ? tool['file_search'] : undefined;
  const ranking = isObject(search) ? search['ranking_options'] : undefined;
  if (!isObject(tool) || !isObject(search) || !isObject(ranking)) return tool;
  const { ranker = 'auto', score_threshold: threshold = 0, ...others } = ranking;
  const isDefault = /^(auto|default_[\d_]+)$/.test(String(ranker)) && threshold === 0;
  if (!isDefault || Object.keys(others).length > 0) return tool;
  const { ranking_options: _, ...chosen } = search;
  return { ...tool, file_search: chosen };
}
