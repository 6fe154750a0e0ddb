import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { parseQueueOptions } from '../../../local/host/queues.ts';
import { projectFolder, startProcess, type TestProcess } from '../../support/process.ts';
import { type QueueProxy, startQueueProxy } from '../../support/queueProxy.ts';
import { until } from '../../support/until.ts';

let proxy: QueueProxy;
const folders: string[] = [];
const hosts: TestProcess[] = [];

beforeAll(async () => {
  proxy = await startQueueProxy();
});
afterAll(() => proxy.close());
beforeEach(async () => {
  await proxy.reset();
  proxy.deliver(1);
});
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

/** Writes down what it is given; a message says how long it takes and whether it fails. */
const app = (library: string) => `
  const { app } = require(${JSON.stringify(library)});
  const tell = (facts) => console.log(JSON.stringify(facts));
  app.storageQueue('take', { queueName: 'runs', connection: 'Store', handler: async (message, context) => {
    const { triggerMetadata, invocationId, functionName } = context;
    tell({ began: message, triggerMetadata, invocationId, functionName });
    if (message.ms) await new Promise((resolve) => setTimeout(resolve, message.ms));
    if (message.fails) throw new Error('secret');
    tell({ ended: message });
  } });
`;

async function serve(
  queues: Record<string, unknown> = {},
  env: Record<string, string> = { Store: proxy.connectionString },
): Promise<TestProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'queue-test-'));
  folders.push(folder);
  const options = { maxPollingInterval: '00:00:01', visibilityTimeout: '00:00:01', ...queues };
  await Promise.all([
    writeFile(join(folder, 'package.json'), JSON.stringify({ main: 'app.cjs' })),
    writeFile(join(folder, 'host.json'), JSON.stringify({ extensions: { queues: options } })),
    writeFile(join(folder, 'app.cjs'), app(join(projectFolder, 'node_modules/@azure/functions'))),
  ]);
  const host = await startProcess('local/host/main.ts', ['--folder', folder], env);
  hosts.push(host);
  return host;
}

const send = (content: unknown) =>
  proxy.queue.sendMessage(Buffer.from(JSON.stringify(content)).toString('base64'));

/** What the app has written down so far. */
const told = (host: TestProcess) =>
  host
    .output()
    .split('\n')
    .filter((line) => /^\{"(began|ended)"/.test(line))
    .map((line) => JSON.parse(line));

/** Messages, those that are hidden included. */
const count = async (queue = proxy.queue) => (await queue.getProperties()).approximateMessagesCount;
const poisoned = async () => {
  const { peekedMessageItems } = await proxy.poison.peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) => messageText);
};

describe('a queue trigger of the local host', () => {
  test('gives a function the content of a message and its metadata, and deletes it', async () => {
    const { messageId } = await send({ text: 'ä' });
    const host = await serve();
    await until('the message is gone', async () => (await count()) === 0);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(told(host)).toEqual([
      {
        began: { text: 'ä' },
        functionName: 'take',
        invocationId: expect.any(String),
        triggerMetadata: {
          queueTrigger: { text: 'ä' },
          id: messageId,
          popReceipt: expect.any(String),
          dequeueCount: 1,
          insertionTime: time,
          expirationTime: time,
          nextVisibleTime: time,
        },
      },
      { ended: { text: 'ä' } },
    ]);
  });

  test('gives text that is not JSON as text', async () => {
    await proxy.queue.sendMessage(Buffer.from('plain {').toString('base64'));
    const host = await serve();
    await until('the message is gone', async () => (await count()) === 0);
    expect(told(host)[0].began).toBe('plain {');
  });

  test('delivers a message that failed again, and keeps it in the poison queue after the last time', async () => {
    await send({ fails: true });
    const host = await serve({ maxDequeueCount: 3 });
    await until('the message is gone', async () => (await count()) === 0);
    expect(told(host).map(({ triggerMetadata }) => triggerMetadata.dequeueCount)).toEqual([1, 2, 3]);
    const [text = ''] = await poisoned();
    expect(JSON.parse(Buffer.from(text, 'base64').toString())).toEqual({ fails: true });
    expect(host.output()).toContain("Moving message to queue 'runs-poison'");
    expect(host.output()).toContain('take threw Error');
    expect(host.output()).not.toContain('secret');
  });

  test('moves what is not base64 to the poison queue at once', async () => {
    await proxy.queue.sendMessage('not base64!');
    const host = await serve();
    await until('the message is gone', async () => (await count()) === 0);
    expect(await poisoned()).toEqual(['not base64!']);
    expect(told(host)).toEqual([]);
  });

  test('works on as many messages at a time as host.json allows', async () => {
    for (let sent = 0; sent < 6; sent++) await send({ sent, ms: 300 });
    const host = await serve({ batchSize: 2, newBatchThreshold: 0 });
    await until('all are gone', async () => (await count()) === 0);
    let [inWork, most] = [0, 0];
    for (const { began } of told(host)) {
      inWork += began ? 1 : -1;
      most = Math.max(most, inWork);
    }
    expect([inWork, most, told(host).length]).toEqual([0, 2, 12]);
  });

  test('finishes the message in work when it is asked to end, and takes no other', async () => {
    await send({ ms: 1_500 });
    const host = await serve();
    await until('it has begun', () => told(host).length === 1);
    const ended = host.stop();
    await send({ other: true });
    expect(await ended).toBe(0);
    expect(told(host).slice(1)).toEqual([{ ended: { ms: 1_500 } }]);
    expect(await count()).toBe(1);
  });

  test('keeps the message in work of a host that is killed from others, and does not lose it', async () => {
    await send({ ms: 60_000 });
    const host = await serve();
    await until('it has begun', () => told(host).length === 1);
    await host.kill();
    const { peekedMessageItems } = await proxy.queue.peekMessages();
    expect([peekedMessageItems.length, await count()]).toEqual([0, 1]);
  });

  test('goes on when the queue was away', async () => {
    const host = await serve();
    await until('it polls', () => proxy.calls.includes('receive'));
    await proxy.away();
    await until('it is told', () => host.output().includes('runs cannot be polled'));
    await proxy.back();
    await send({ after: true });
    await until('it is done', async () => (await count()) === 0);
    expect(told(host)[0].began).toEqual({ after: true });
  });

  test('leaves a function alone that is switched off', async () => {
    // Taken one by one, so that two hosts would share them.
    const one = { batchSize: 1, newBatchThreshold: 0 };
    const env = { Store: proxy.connectionString, 'AzureWebJobs.take.Disabled': 'true' };
    const [off, on] = await Promise.all([serve(one, env), serve(one)]);
    for (let sent = 0; sent < 10; sent++) await send({ ms: 100 });
    await until('all are gone', async () => (await count()) === 0);
    expect([told(off).length, told(on).length]).toEqual([0, 20]);
  });

  test('needs a connection string or the address of the queue service', async () => {
    await expect(serve({}, {})).rejects.toThrow('neither Store nor Store__queueServiceUri is set');
    await expect(serve({}, { Store__queueServiceUri: 'https://a.example/' })).resolves.toBeDefined();
  });

  test.each(['5', '00:00', '1.00:00:00'])('refuses %j as a duration', async (maxPollingInterval) => {
    await expect(serve({ maxPollingInterval })).rejects.toThrow('is no duration');
  });
});

describe('parseQueueOptions', () => {
  test("has the host's defaults", () => {
    expect(parseQueueOptions()).toEqual({
      maxPollingIntervalMs: 60_000,
      visibilityTimeoutSeconds: 0,
      maxDequeueCount: 5,
      batchSize: 16,
      newBatchThreshold: 8,
    });
  });

  test('fetches a new batch at half of the batch size unless host.json says otherwise', () => {
    expect(parseQueueOptions({ batchSize: 4 }).newBatchThreshold).toBe(2);
    expect(parseQueueOptions({ batchSize: 4, newBatchThreshold: 0 }).newBatchThreshold).toBe(0);
  });
});
