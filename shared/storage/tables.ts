import type { RestError, TableClient, TableServiceClientOptions } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import type { StorageConfig } from '../config.ts';
import { type Deadline, within } from '../deadline.ts';
import { AppError } from '../http/errors.ts';
import { lazy } from '../lazy.ts';

export type TableName = 'projects' | 'threads';

/** Longest wait for one round trip to the store, the client's own retries included. */
const roundTripMs = 4_000;

/** For a query: the store works up to five seconds on one before it answers with what it has so far. */
export const queryMs = 10_000;

const options: TableServiceClientOptions = {
  retryOptions: { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 500 },
  // Only Azurite is reached without TLS: configuration refuses any other plain HTTP endpoint.
  allowInsecureConnection: true,
};

/** A table that is opened when it is first used: the store's client is no small part of a worker's start. */
export type Table = () => Promise<TableClient>;

/** Names a table without opening it. */
export const lazyTable = (config: StorageConfig, name: TableName): Table =>
  lazy(() => openTable(config, name));

/**
 * Opens a table; nothing is sent until it is used. Without a connection string it authenticates with Entra ID.
 * @param credential used for that instead of the default one.
 */
export async function openTable(
  config: StorageConfig,
  name: TableName,
  credential?: TokenCredential,
): Promise<TableClient> {
  const { TableClient } = await import('./azureStorage.ts');
  if (config.connectionString !== undefined) {
    return TableClient.fromConnectionString(config.connectionString, name, options);
  }
  const { DefaultAzureCredential } = await import('@azure/identity');
  return new TableClient(config.endpoint, name, credential ?? new DefaultAzureCredential(), options);
}

/** An OData filter with its values as quoted text. */
export const filter = (parts: TemplateStringsArray, ...values: readonly string[]): string =>
  String.raw({ raw: parts }, ...values.map((value) => `'${value.replaceAll("'", "''")}'`));

/** What the store answered, where the caller decides what it means. */
export type StoreRefusal = 'absent' | 'exists' | 'changed';

/**
 * Runs one round trip within `maxMs`, or what is left of the request it belongs to.
 * @returns the answer, or the refusal that the store gave as an answer.
 * @throws {AppError} `unavailable` for everything else: out of reach, too slow, or not for us.
 */
export async function roundTrip<T extends object>(
  open: Table,
  call: (table: TableClient, options: { abortSignal: AbortSignal }) => Promise<T>,
  deadline?: Deadline,
  maxMs = roundTripMs,
): Promise<T | StoreRefusal> {
  const table = await open();
  try {
    const timeoutMs = deadline?.within(maxMs) ?? maxMs;
    return await within(timeoutMs, (abortSignal) => call(table, { abortSignal }));
  } catch (error) {
    const refusal = toRefusal(error);
    if (refusal === undefined) throw new AppError('unavailable', { cause: error });
    return refusal;
  }
}

function toRefusal(error: unknown): StoreRefusal | undefined {
  // A transaction's error carries the code; a single operation's has it in the parsed body.
  const { code, details } = error as Partial<RestError>;
  const body = details as { odataError?: { code?: string } } | undefined;
  switch (code ?? body?.odataError?.code) {
    case 'ResourceNotFound':
      return 'absent';
    case 'EntityAlreadyExists':
      return 'exists';
    case 'UpdateConditionNotSatisfied':
      return 'changed';
    default:
      return undefined;
  }
}
