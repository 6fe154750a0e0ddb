import type { QueueClient, StoragePipelineOptions } from '@azure/storage-queue';
import type { StorageConfig } from '../config.ts';
import { openCredential } from '../credential.ts';
import { withTimeout } from '../deadline.ts';
import { AppError } from '../errors.ts';
import { lazy } from '../lazy.ts';
import type { FollowUp } from '../model/followUp.ts';

export const followUpQueueName = 'runs';

/** Timeout of sending a message, including the client's retries, in milliseconds. */
const sendMs = 3_000;

const options: StoragePipelineOptions = {
  retryOptions: { maxTries: 3, retryDelayInMs: 100, maxRetryDelayInMs: 500 },
};

/** Sending side of the follow-up queue. */
export interface FollowUpQueue {
  /**
   * Sends a follow-up, to be delivered at least once after the delay.
   * @throws {AppError} `unavailable` when the queue did not confirm it within about 3 seconds. It may have been sent
   * nevertheless.
   */
  send(followUp: FollowUp, delaySeconds: number): Promise<void>;
}

/** Creates the sending side of the queue; it is opened on first use. */
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

/** Opens the queue without sending a request. Authenticates with Entra ID unless there is a connection string. */
export async function openFollowUpQueue(config: StorageConfig): Promise<QueueClient> {
  const { QueueClient } = await import('./azureStorage.ts');
  if (config.connectionString !== undefined) {
    return new QueueClient(config.connectionString, followUpQueueName, options);
  }
  const url = new URL(followUpQueueName, config.endpoint.replace(/\/?$/, '/'));
  return new QueueClient(url.href, await openCredential(), options);
}
