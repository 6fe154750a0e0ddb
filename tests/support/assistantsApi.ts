import { afterAll } from '@jest/globals';
import OpenAI, { AzureOpenAI } from 'openai';
import OpenAIv4 from 'openai-v4';
import { loadNatively } from './native.ts';
import type { ServiceUnderTest } from './useService.ts';

/** Compiles its schemas once in a worker. */
const { createWireLog, checkingFetch } =
  loadNatively<typeof import('./wireDeviations.ts')>('wireDeviations.ts');
const wireLog = createWireLog();
afterAll(() => wireLog.check());

/** As `fetch`. After all tests of a file, fails if a response was not as the package types it. */
export const checkedFetch = checkingFetch(wireLog);

/** A client of the official package, of either class. */
export type Client = OpenAI;

/** How a test reaches the Assistants API. */
export interface Access {
  /** Claims of the token; by default those of a caller of the test's project. */
  readonly claims?: Record<string, unknown>;
  readonly projectId?: string;
  readonly maxRetries?: number;
}

/** Creates a client of each class that the package has, for the same project. */
export const clientClasses = {
  OpenAI: async (t: ServiceUnderTest, access: Access = {}): Promise<Client> => {
    const { projectId, token, maxRetries } = await credentials(t, access);
    return new OpenAI({
      baseURL: `${t.url}/api/projects/${projectId}/openai/v1`,
      apiKey: token,
      maxRetries,
      timeout: 25_000,
      fetch: checkedFetch,
    });
  },
  AzureOpenAI: async (t: ServiceUnderTest, access: Access = {}): Promise<Client> => {
    const { projectId, token, maxRetries } = await credentials(t, access);
    return new AzureOpenAI({
      endpoint: `${t.url}/api/projects/${projectId}`,
      apiVersion: '2024-05-01-preview',
      azureADTokenProvider: async () => token,
      maxRetries,
      timeout: 25_000,
      fetch: checkedFetch,
    });
  },
  'AzureOpenAI with a key': async (t: ServiceUnderTest, access: Access = {}): Promise<Client> => {
    const { projectId, token, maxRetries } = await credentials(t, access);
    return new AzureOpenAI({
      endpoint: `${t.url}/api/projects/${projectId}`,
      apiVersion: '2024-05-01-preview',
      apiKey: token,
      maxRetries,
      timeout: 25_000,
      fetch: checkedFetch,
    });
  },
} as const;

/** Creates a client of the test's project. */
export const openClient = clientClasses.OpenAI;

/** Creates a client of version 4, which differs from today's in the names of deletions. */
export async function openVersion4(t: ServiceUnderTest, access: Access = {}): Promise<Client> {
  const { projectId, token, maxRetries } = await credentials(t, access);
  const client = new OpenAIv4({
    baseURL: `${t.url}/api/projects/${projectId}/openai/v1`,
    apiKey: token,
    maxRetries,
    // Typed for node-fetch.
    fetch: checkedFetch as never,
  });
  return client as unknown as Client;
}

async function credentials(t: ServiceUnderTest, { claims, projectId = t.projectId, maxRetries = 0 }: Access) {
  return { projectId, maxRetries, token: await t.issuer.sign(claims ?? { projects: [projectId] }) };
}

/** Returns the error that a call rejects with. */
export async function failureOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    await call;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error;
    throw error;
  }
  throw new Error('the call did not fail');
}

/** Returns the errors that calls at the same time reject with; awaiting one after the other leaves rejections unhandled. */
export const failuresOf = (
  calls: readonly Promise<unknown>[],
): Promise<InstanceType<typeof OpenAI.APIError>[]> => Promise.all(calls.map(failureOf));
