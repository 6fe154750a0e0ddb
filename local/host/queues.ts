import { scheduler } from 'node:timers/promises';
import type { DequeuedMessageItem, QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { log } from './functionsCore.ts';
import type { WorkerChannel } from './workerChannel.ts';

/*
 * The queue trigger, following the Storage extension of the Functions host (QueueListener and QueueProcessor in
 * Azure/azure-sdk-for-net): at-least-once delivery in batches, with backoff while the queue is empty. A failed message
 * is redelivered, and moved to the queue `NAME-poison` after `maxDequeueCount` deliveries.
 */

/** A function with a queue trigger. */
export interface QueueFunction {
  readonly functionName: string;
  /** Name of the message's binding. */
  readonly bindingName: string;
  readonly queueName: string;
  /** Name of the connection setting. */
  readonly connection: string;
}

/** `extensions.queues` of host.json. */
export interface QueueOptions {
  /** Maximum interval between two polls, in milliseconds. */
  readonly maxPollingIntervalMs: number;
  /** Seconds until a failed message is redelivered. */
  readonly visibilityTimeoutSeconds: number;
  readonly maxDequeueCount: number;
  readonly batchSize: number;
  /** Number of messages in progress at which the next batch is fetched. */
  readonly newBatchThreshold: number;
}

export interface QueueListener {
  /** Stops polling. Resolves when the messages in progress are done. */
  close(): Promise<void>;
}

/** Interval after the first poll that found nothing, in milliseconds. */
const minPollingIntervalMs = 100;

/** Visibility timeout of a message in progress, in seconds; renewed halfway. Fixed in the real host. */
const leaseSeconds = 600;

/** Timeout of a call to the queue, in milliseconds. */
const callMs = 10_000;

const clientOptions = { retryOptions: { maxTries: 3, retryDelayInMs: 200 } };

/**
 * Reads the host's queue options.
 * @param queues `extensions.queues` of host.json; missing options have the host's defaults.
 * @throws {Error} for a duration that is not `hh:mm:ss`.
 */
export function parseQueueOptions(queues: Readonly<Record<string, unknown>> = {}): QueueOptions {
  const batchSize = Number(queues['batchSize'] ?? 16);
  return {
    maxPollingIntervalMs: parseDuration(queues['maxPollingInterval'] ?? '00:01:00') * 1000,
    visibilityTimeoutSeconds: parseDuration(queues['visibilityTimeout'] ?? '00:00:00'),
    maxDequeueCount: Number(queues['maxDequeueCount'] ?? 5),
    batchSize,
    newBatchThreshold: Number(queues['newBatchThreshold'] ?? batchSize / 2),
  };
}

function parseDuration(value: unknown): number {
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d)$/.exec(String(value)) ?? [];
  if (seconds === undefined) throw new Error(`host.json: "${value}" is no duration such as 00:00:30`);
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/**
 * Delivers a queue's messages to a function until it is closed.
 * @throws {Error} when the environment has no connection for the queue.
 */
export function listenToQueue(
  worker: Pick<WorkerChannel, 'invoke'>,
  trigger: QueueFunction,
  options: QueueOptions,
  env: Readonly<Record<string, string | undefined>> = process.env,
): QueueListener {
  const connect = resolveConnection(trigger.connection, env);
  const stop = new AbortController();
  const inProgress = new Set<Promise<void>>();

  const poll = async (queue: QueueClient, poison: QueueClient): Promise<number> => {
    const { receivedMessageItems } = await queue.receiveMessages({
      numberOfMessages: options.batchSize,
      visibilityTimeout: leaseSeconds,
      abortSignal: AbortSignal.any([stop.signal, AbortSignal.timeout(callMs)]),
    });
    for (const message of receivedMessageItems) {
      const work = handle({ worker, trigger, options, queue, poison, message })
        .catch((error) => log('error', 'host', `${trigger.queueName}: ${nameOf(error)}`))
        .finally(() => inProgress.delete(work));
      inProgress.add(work);
    }
    return receivedMessageItems.length;
  };

  const run = async () => {
    const service = await connect();
    const queue = service.getQueueClient(trigger.queueName);
    const poison = service.getQueueClient(`${trigger.queueName}-poison`);
    let pauseMs = minPollingIntervalMs;
    let reachable = true;
    while (!stop.signal.aborted) {
      const found = await poll(queue, poison).catch((error) => {
        if (reachable && !stop.signal.aborted) {
          log('warning', 'host', `${trigger.queueName} cannot be polled: ${nameOf(error)}`);
        }
        reachable = false;
        return undefined;
      });
      if (found !== undefined) reachable = true;
      if (found) {
        pauseMs = minPollingIntervalMs;
        while (inProgress.size > options.newBatchThreshold) await Promise.race(inProgress);
      } else {
        await scheduler.wait(pauseMs, { signal: stop.signal }).catch(() => undefined);
        // Randomized, so that instances do not poll in step.
        pauseMs = Math.min(options.maxPollingIntervalMs, pauseMs * 2 * (0.8 + 0.4 * Math.random()));
      }
    }
  };
  const polling = run();
  return {
    async close() {
      stop.abort();
      await polling;
      await Promise.all(inProgress);
    },
  };
}

/**
 * Resolves a connection as the host does: a connection string, or the settings of an identity-based connection.
 * @throws {Error} when the environment has neither.
 */
function resolveConnection(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): () => Promise<QueueServiceClient> {
  const connectionString = env[name];
  const uri = env[`${name}__queueServiceUri`];
  if (!connectionString && !uri) {
    throw new Error(`neither ${name} nor ${name}__queueServiceUri is set; a queue trigger needs it`);
  }
  return async () => {
    const { QueueServiceClient } = await import('@azure/storage-queue');
    if (connectionString) return QueueServiceClient.fromConnectionString(connectionString, clientOptions);
    const { DefaultAzureCredential } = await import('@azure/identity');
    const managedIdentityClientId = env[`${name}__clientId`];
    const credential = new DefaultAzureCredential(managedIdentityClientId ? { managedIdentityClientId } : {});
    return new QueueServiceClient(uri ?? '', credential, clientOptions);
  };
}

interface Delivery {
  readonly worker: Pick<WorkerChannel, 'invoke'>;
  readonly trigger: QueueFunction;
  readonly options: QueueOptions;
  readonly queue: QueueClient;
  readonly poison: QueueClient;
  readonly message: DequeuedMessageItem;
}

async function handle({ worker, trigger, options, queue, poison, message }: Delivery): Promise<void> {
  const { messageId, dequeueCount } = message;
  let { popReceipt } = message;
  // If the lease has expired, another instance may have received or deleted the message.
  const ifStillLeased = (call: Promise<unknown>) =>
    call.catch((error) => {
      if (![400, 404].includes(error.statusCode)) throw error;
    });
  const moveToPoison = async () => {
    log(
      'warning',
      'host',
      `Message has reached MaxDequeueCount of ${options.maxDequeueCount}. Moving message to queue '${poison.name}'.`,
    );
    await poison.createIfNotExists();
    await poison.sendMessage(message.messageText);
    await ifStillLeased(queue.deleteMessage(messageId, popReceipt));
  };

  const text = decode(message.messageText);
  if (text === undefined || dequeueCount > options.maxDequeueCount) return moveToPoison();
  const renewal = setInterval(
    () => {
      queue
        .updateMessage(messageId, popReceipt, undefined, leaseSeconds)
        .then((updated) => {
          popReceipt = updated.popReceipt ?? popReceipt;
        })
        .catch((error) => log('warning', 'host', `${trigger.queueName}: ${nameOf(error)}`));
    },
    (leaseSeconds / 2) * 1000,
  );
  let failed = false;
  try {
    await worker.invoke(toInvocation(trigger, message, text));
  } catch (error) {
    failed = true;
    log('error', 'host', `${trigger.functionName} threw ${(error as Error).message}`);
  } finally {
    clearInterval(renewal);
  }
  if (!failed) await ifStillLeased(queue.deleteMessage(messageId, popReceipt));
  else if (dequeueCount >= options.maxDequeueCount) await moveToPoison();
  else {
    await ifStillLeased(
      queue.updateMessage(messageId, popReceipt, undefined, options.visibilityTimeoutSeconds),
    );
  }
}

/** Decodes a message. @returns undefined when it is not base64, which the host expects. */
function decode(text: string): string | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes.toString() : undefined;
}

function toInvocation(
  { functionName, bindingName }: QueueFunction,
  message: DequeuedMessageItem,
  text: string,
) {
  const time = (date: Date) => ({ json: JSON.stringify(date) });
  return {
    functionName,
    inputData: [{ name: bindingName, data: { string: text } }],
    triggerMetadata: {
      QueueTrigger: { string: text },
      Id: { string: message.messageId },
      PopReceipt: { string: message.popReceipt },
      DequeueCount: { int: message.dequeueCount },
      InsertionTime: time(message.insertedOn),
      ExpirationTime: time(message.expiresOn),
      NextVisibleTime: time(message.nextVisibleOn),
    },
  };
}

const nameOf = (error: unknown): string => {
  const { name, statusCode, code } = error as Error & { statusCode?: number; code?: string };
  return [name, statusCode, code].filter(Boolean).join(' ');
};
