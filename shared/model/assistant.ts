import type { ToolResources } from './toolResources.ts';

/** A tool of an assistant. */
export type AssistantTool =
  | SearchTool
  | { readonly type: 'code_interpreter' }
  | { readonly type: 'web_search' }
  | FunctionTool
  | McpTool;

/** A search of vector stores. */
export interface SearchTool {
  readonly type: 'file_search';
  /** The engine's ids of those that the operator configured. */
  readonly vectorStoreIds?: readonly string[];
  readonly maxResults?: number;
  /** Results with a lower score are left out; 0 to 1. */
  readonly scoreThreshold?: number;
}

/** A function that the client executes. */
export interface FunctionTool {
  readonly type: 'function';
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments; by default there are none. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Whether the engine guarantees that arguments match `parameters`; false by default. */
  readonly strict?: boolean;
}

/** Tools of a remote server that the engine calls with the Model Context Protocol. */
export interface McpTool {
  readonly type: 'mcp';
  readonly serverLabel: string;
  readonly serverUrl: string;
  /** Names; all of the server's tools by default. */
  readonly allowedTools?: readonly string[];
  /** Which calls wait for approval; `always` by default. */
  readonly requireApproval?:
    | 'always'
    | 'never'
    | { readonly always?: readonly string[]; readonly never?: readonly string[] };
  /** Name of the setting with the server's token. */
  readonly authorizationSetting?: string;
}

/** The form of an assistant's replies. */
export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly name: string;
      readonly description?: string;
      /** JSON Schema of the reply, an object. */
      readonly schema: Readonly<Record<string, unknown>>;
      readonly strict?: boolean;
    };

/** An assistant, as described by `assistant.schema.json`. */
export interface Assistant {
  readonly id: string;
  readonly name: string;
  readonly model: string;
  readonly instructions: string;
  readonly tools?: readonly AssistantTool[];
  /** 0 to 2. */
  readonly temperature?: number;
  /** Above 0, up to 1. */
  readonly topP?: number;
  readonly maxOutputTokens?: number;
  readonly responseFormat?: ResponseFormat;
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh';
}

/** Which tool the model must use, or none. */
export type ToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | { readonly type: 'file_search' | 'code_interpreter' }
  | { readonly type: 'function'; readonly name: string };

/**
 * Properties of an assistant that one run changes. Stored with the run; all its rounds use them. Its code interpreter gets
 * the files of the thread too; the vector stores are all that it searches besides the project's, those of the thread
 * included.
 */
export interface AssistantOverrides
  extends Partial<
      Pick<
        Assistant,
        'model' | 'tools' | 'temperature' | 'topP' | 'maxOutputTokens' | 'responseFormat' | 'reasoningEffort'
      >
    >,
    ToolResources {
  readonly toolChoice?: ToolChoice;
  readonly parallelToolCalls?: boolean;
}
