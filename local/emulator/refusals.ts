import type { JsonObject } from './types.ts';

/** The error response of a refused create. */
export interface Refusal {
  status: number;
  headers?: Record<string, string>;
  error: JsonObject;
}

const safe = { filtered: false, severity: 'safe' };

/** Error responses of real engines, by the reason of a `refuse` fault. */
export const refusals = {
  azure_content_filter: {
    status: 400,
    error: {
      message:
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
      type: null,
      param: 'prompt',
      code: 'content_filter',
      status: 400,
      innererror: {
        code: 'ResponsibleAIPolicyViolation',
        content_filter_result: {
          hate: safe,
          jailbreak: { filtered: false, detected: false },
          self_harm: safe,
          sexual: safe,
          violence: { filtered: true, severity: 'medium' },
        },
      },
    },
  },
  content_filter: {
    status: 400,
    error: {
      message: 'The prompt was refused by the content filter.',
      type: 'invalid_request_error',
      param: null,
      code: 'content_filter',
    },
  },
  context_length_exceeded: {
    status: 400,
    error: {
      message: 'Your input exceeds the context window of this model. Please adjust your input and try again.',
      type: 'invalid_request_error',
      param: 'input',
      code: 'context_length_exceeded',
    },
  },
  invalid_prompt: {
    status: 400,
    error: {
      message:
        'Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt: https://platform.openai.com/docs/guides/reasoning#advice-on-prompting',
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_prompt',
    },
  },
  insufficient_quota: {
    status: 429,
    error: {
      message:
        'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
      type: 'insufficient_quota',
      param: null,
      code: 'insufficient_quota',
    },
  },
  rate_limit_exceeded: {
    status: 429,
    headers: { 'retry-after-ms': '1200', 'retry-after': '2' },
    error: {
      message:
        'Rate limit reached on tokens per min (TPM): Limit 2000000, Used 1999000, Requested 41000. Please try again in 1.2s. Visit https://platform.openai.com/account/rate-limits to learn more.',
      type: 'tokens',
      param: null,
      code: 'rate_limit_exceeded',
    },
  },
} as const satisfies Record<string, Refusal>;

export type RefusalReason = keyof typeof refusals;

export function isRefusalReason(value: unknown): value is RefusalReason {
  return typeof value === 'string' && Object.hasOwn(refusals, value);
}
