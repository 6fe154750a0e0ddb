import { isAssistantId } from '../../shared/model/ids.ts';
import type { StoredAssistant } from '../../shared/model/storedAssistant.ts';
import { applyBody, readNewAssistant } from '../../shared/openai/assistantParams.ts';
import { NotBrought, refuseInWords } from './notBrought.ts';
import { isObject, type JsonObject } from './readExport.ts';
import { toDate } from './times.ts';
import { isEmpty, type ReadOptions } from './toMessage.ts';

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
  const { id, object: _, created_at: created, tool_resources: resources, ...rest } = value;
  if (!isAssistantId(id as string | undefined)) throw new NotBrought('id: not an id of an assistant');
  dropResources(resources, options);
  const body = Object.fromEntries(Object.entries(rest).filter(([, property]) => !isEmpty(property)));
  const blank = {
    ...{ projectId, id: id as string, createdAt: toDate(created) },
    ...{ name: '', instructions: '', model: '' },
  };
  return refuseInWords(() => applyBody(blank, readNewAssistant(body, ''), models));
}

/**
 * Drops what `tool_resources` names: these files and vector stores do not exist here.
 * @throws {NotBrought} naming it, unless it is left out.
 */
export function dropResources(resources: unknown, options: ReadOptions): void {
  for (const [tool, own] of isObject(resources) ? Object.entries(resources) : []) {
    for (const [name, ids] of isObject(own) ? Object.entries(own) : []) {
      if (!Array.isArray(ids) || ids.length === 0) continue;
      const place = `tool_resources.${tool}.${name}`;
      if (!options.withoutFiles) throw new NotBrought(`${place}: these do not exist here`);
      options.leaveOut(place);
    }
  }
}
