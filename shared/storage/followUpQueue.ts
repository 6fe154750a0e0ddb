import type { QueueClient, StoragePipelineOptions } from '@azure/storage-queue';
import type { StorageConfig } from '../config.ts';
import { withTimeout } from '../deadline.ts';
import { AppError } from '../errors.ts';
import { lazy } from '../lazy.ts';
import type { FollowUp } from '../model/followUp.ts';

export const followUpQueueName = 'runs';

/** Longest wait for a message to be taken, the client's own retries included. */
const sendMs = 3_000;

const options: StoragePipelineOptions = {
  retryOptions: { maxTries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 500 },
};

export interface FollowUpQueue {
  /**
   * Sends a follow-up that is delivered after the delay, at least once.
   * @throws {AppError} `unavailable` when the queue did not confirm it within about 3 seconds; it may have been sent
   * all the same.
   */
  send(followUp: FollowUp, delaySeconds: number): Promise<void>;
}

/** Creates the sending side of the queue, which is opened on first use. */
export function createFollowUpQueue(config: StorageConfig): FollowUpQueue {
  const open = lazy(() => openFollowUpQueue(config));
  return {
    async send(followUp, delaySeconds) {
      // The Functions host expects base64.
      const message = Buffer.from(JSON.stringify(followUp)).toString('base64');
      try {
        const queue = await open();
        await withTimeout(sendMs, (abortSignal) =>
          queue.sendMessage(message, {
            visibilityTimeout: delaySeconds,
            // Never expires; the default is seven days.
            messageTimeToLive: -1,
            abortSignal,
          }),
        );
      } catch (error) {
        throw new AppError('unavailable', { cause: error });
      }
    },
  };
}

/** Opens the queue; nothing is sent until it is used. Without a connection string it authenticates with Entra ID. */
export async function openFollowUpQueue(config: StorageConfig): Promise<QueueClient> {
  const { QueueClient } = await import('./azureStorage.ts');
  if (config.connectionString !== undefined) {
    return new QueueClient(config.connectionString, followUpQueueName, options);
  }
  const { DefaultAzureCredential } = await import('@azure/identity');
  const url = new URL(followUpQueueName, config.endpoint.replace(/\/?$/, '/'));
  return new QueueClient(url.href, new DefaultAzureCredential(), options);
}
