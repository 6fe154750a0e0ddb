import type { RestError, TableClient, TableServiceClientOptions } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import type { StorageConfig } from '../config.ts';
import { openCredential } from '../credential.ts';
import { type Deadline, withTimeout } from '../deadline.ts';
import { AppError } from '../errors.ts';
import { lazy } from '../lazy.ts';

export type TableName = 'projects' | 'threads';

/** Timeout of a round trip to the store, including the client's retries, in milliseconds. */
const roundTripMs = 4_000;

/** Timeout of a query, in milliseconds: the store may take five seconds before it returns a partial result. */
export const queryMs = 10_000;

const options: TableServiceClientOptions = {
  retryOptions: { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 500 },
  // For Azurite only: the configuration rejects plain HTTP except for localhost.
  allowInsecureConnection: true,
};

/** A table that is opened on first use, because loading the client would slow a worker's start. */
export type Table = () => Promise<TableClient>;

/** Returns a table without opening it. */
export const lazyTable = (config: StorageConfig, name: TableName): Table =>
  lazy(() => openTable(config, name));

/**
 * Opens a table without sending a request. Authenticates with Entra ID unless there is a connection string.
 * @param credential for Entra ID, instead of the default one.
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
  return new TableClient(config.endpoint, name, credential ?? (await openCredential()), options);
}

/** Creates an OData filter, quoting its values as strings. */
export const filter = (parts: TemplateStringsArray, ...values: readonly string[]): string =>
  String.raw({ raw: parts }, ...values.map((value) => `'${value.replaceAll("'", "''")}'`));

/** Why the store refused an operation, where the meaning depends on the caller. */
export type StoreRefusal = 'absent' | 'exists' | 'changed';

/**
 * Makes one round trip to the store within `maxMs` milliseconds and the deadline.
 * @returns the store's result or refusal.
 * @throws {AppError} `unavailable` for other failures: unreachable, too slow or unauthorized.
 */
export async function roundTrip<T extends object>(
  open: Table,
  call: (table: TableClient, options: { abortSignal: AbortSignal }) => Promise<T>,
  deadline?: Deadline,
  maxMs = roundTripMs,
): Promise<T | StoreRefusal> {
  const table = await open();
  try {
    const timeoutMs = deadline?.remaining(maxMs) ?? maxMs;
    return await withTimeout(timeoutMs, (abortSignal) => call(table, { abortSignal }));
  } catch (error) {
    const refusal = toRefusal(error);
    if (refusal === undefined) throw new AppError('unavailable', { cause: error });
    return refusal;
  }
}

function toRefusal(error: unknown): StoreRefusal | undefined {
  // Transaction errors have a `code`; errors of single operations have it in the parsed body.
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
