/** A tool of an assistant. */
export type AssistantTool =
  | {
      readonly type: 'file_search';
      readonly vectorStoreIds?: readonly string[];
      readonly maxResults?: number;
    }
  | { readonly type: 'code_interpreter' }
  | { readonly type: 'web_search' };

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
