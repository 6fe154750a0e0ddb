import type { Config } from '../../shared/config.ts';
import type { Engine } from '../../shared/engine/engine.ts';
import type { Project } from '../../shared/model/project.ts';
import type { AssistantStore } from '../../shared/storage/assistantStore.ts';
import type { ImportStore } from '../../shared/storage/importStore.ts';
import type { Pace } from './pace.ts';

/** Dependencies of an import. */
export interface ImportServices {
  readonly config: Pick<Config, 'assistants'>;
  readonly project: Project;
  readonly otherProjectIds: readonly string[];
  readonly imports: ImportStore;
  readonly assistants: AssistantStore;
  readonly engine: Pick<
    Engine,
    'openConversation' | 'removeConversation' | 'appendMessages' | 'listMessages'
  >;
  /** Makes a call of the engine when its rate limit allows. */
  readonly pace: Pace;
}
