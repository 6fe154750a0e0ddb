import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AppError } from '../../../shared/errors.ts';
import type { FollowUp } from '../../../shared/model/followUp.ts';
import {
  createFollowUpQueue,
  type FollowUpQueue,
  openFollowUpQueue,
} from '../../../shared/storage/followUpQueue.ts';
import { type QueueProxy, startQueueProxy } from '../../support/queueProxy.ts';

let proxy: QueueProxy;
let followUps: FollowUpQueue;

beforeAll(async () => {
  proxy = await startQueueProxy();
  followUps = createFollowUpQueue(proxy);
});
afterAll(() => proxy.close());
beforeEach(() => proxy.reset());

const followUp: FollowUp = { kind: 'run', projectId: 'p', threadId: 'thread_1', runId: 'run_1', attempt: 2 };

/** What the queue holds; a message with a delay is not to be seen. */
const peek = async () => {
  const { peekedMessageItems } = await proxy.queue.peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) =>
    JSON.parse(Buffer.from(messageText, 'base64').toString()),
  );
};

describe('the queue of follow-ups', () => {
  test('takes a follow-up as base64 of JSON, with its delay and without an end', async () => {
    await followUps.send(followUp, 40);
    expect(proxy.sent).toEqual([{ content: followUp, delaySeconds: 40, timeToLive: -1 }]);
    expect(await peek()).toEqual([]);
    await followUps.send(followUp, 0);
    expect(await peek()).toEqual([followUp]);
  });

  test.each(['fail', 'lose'] as const)('is asked again after one call that meets: %s', async (fault) => {
    proxy.inject('send', fault);
    await followUps.send(followUp, 0);
    expect(proxy.calls).toEqual(['send', 'send']);
    // At least once: the lost response was to a message that is there.
    expect(await peek()).toEqual(fault === 'lose' ? [followUp, followUp] : [followUp]);
  });

  test.each([
    ['fail', 3],
    ['lose', 3],
    ['hang', 1],
    ['late', 1],
  ] as const)('is unavailable when calls go on to meet: %s', async (fault, calls) => {
    proxy.inject('send', fault, 10);
    await expect(followUps.send(followUp, 0)).rejects.toMatchObject({ code: 'unavailable' });
    expect(proxy.calls).toHaveLength(calls);
  });

  test('is unavailable when it is away or not there, and takes the next one when it is back', async () => {
    await proxy.away();
    await expect(followUps.send(followUp, 0)).rejects.toBeInstanceOf(AppError);
    await proxy.back();
    await followUps.send(followUp, 0);
    expect(await peek()).toEqual([followUp]);
  });
});

test.each(['', '/'])('the queue is found below an endpoint that ends with "%s"', async (end) => {
  const { url } = await openFollowUpQueue({ endpoint: `https://account.queue.core.windows.net${end}` });
  expect(url).toBe('https://account.queue.core.windows.net/runs');
});
