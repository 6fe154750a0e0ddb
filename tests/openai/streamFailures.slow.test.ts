import { beforeEach, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { type Client, checkedFetch, openClient, openVersion4 } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { readEvents, textOf } from '../support/events.ts';
import { openSocket, requestText } from '../support/raw.ts';
import { until } from '../support/until.ts';
import { useService } from '../support/useService.ts';

/* Streams that are cut, on either side. */

const t = useService();
let client: Client;
// A restarted worker has another address.
const connect = async () => {
  client = await openClient(t);
};
beforeEach(connect);

const assistant_id = 'asst_test';
const thread = { messages: [{ role: 'user' as const, content: 'Explain the database schema' }] };
const poll = { pollIntervalMs: 50 };

const start = () => client.beta.threads.createAndRun({ assistant_id, thread, stream: true });
const open = (by = client) => by.beta.threads.createAndRunStream({ assistant_id, thread });

/** Returns the text of the newest message. */
async function newestText(threadId: string) {
  const [message] = (await client.beta.threads.messages.list(threadId)).data;
  const [part] = message?.content ?? [];
  return part?.type === 'text' ? part.text.value : undefined;
}

/** Starts a run whose stream is read until it has begun to reply. */
async function readUntilText() {
  await t.engine.timing({ queueMs: 0, runMs: 2_000 });
  const stream = await start();
  const events = stream[Symbol.asyncIterator]();
  for (;;) {
    const { value } = await events.next();
    if (value?.event !== 'thread.message.delta') continue;
    const [run] = (await t.engine.runs()).slice(-1);
    const [runId = '', thread_id = ''] = [run?.metadata['runId'], run?.metadata['threadId']];
    return { stream, events, runId, thread_id };
  }
}

describe('a stream', () => {
  test.each<[string, () => Promise<void>]>([
    ['drops once', () => t.engine.spoilStream('created', { afterEvents: 9 })],
    ['ends early', () => t.engine.spoilStream('created', { afterEvents: 9, how: 'end' })],
    [
      'drops and cannot be resumed',
      async () => {
        await t.engine.spoilStream('created', { afterEvents: 9, extraBytes: 20 });
        await t.engine.refuseResume(400, null);
      },
    ],
    [
      'drops again and again',
      async () => {
        await t.engine.spoilStream('created', { afterEvents: 9 });
        await t.engine.spoilStream('resumed', { afterEvents: 2 }, 3);
      },
    ],
  ])('has the whole reply though the engine’s %s', async (_name, spoil) => {
    await spoil();
    const stream = open();
    let text = '';
    stream.on('textDelta', ({ value }) => {
      text += value;
    });
    const run = await stream.finalRun();
    expect(run.status).toBe('completed');
    expect(text).not.toBe('');
    expect(text).toBe(await newestText(run.thread_id));
  });

  test('that breaks with its worker raises, and the run is retrieved from another', async () => {
    const { events, runId, thread_id } = await readUntilText();
    await t.kill();
    await expect(
      (async () => {
        while (!(await events.next()).done);
      })(),
    ).rejects.toThrow();
    await t.restart();
    await connect();
    const run = await client.beta.threads.runs.poll(runId, { thread_id }, poll);
    expect(run.status).toBe('completed');
    expect(await newestText(thread_id)).toContain('schema');
  });

  test('that the client aborts ends, while its run goes on and the project API takes over', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 2_000 });
    const stream = open();
    const seen: string[] = [];
    let ids = { id: '', thread_id: '' };
    stream.on('abort', (error) => seen.push(error.constructor.name)).on('end', () => seen.push('end'));
    stream.on('event', ({ event, data }) => {
      if (event === 'thread.run.created') ids = data;
    });
    stream.on('textCreated', () => stream.abort());
    await expect(stream.done()).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    expect(seen).toEqual(['APIUserAbortError', 'end']);
    const events = await readEvents(t, `projects/${t.projectId}/threads/${ids.thread_id}/runs/${ids.id}`);
    expect(events.at(-1)?.data.status).toBe('completed');
    // The marks of citations are of this face only.
    expect(textOf(events)).toBe((await newestText(ids.thread_id))?.replaceAll(/【.*?】/g, ''));
    await t.idle();
  });

  test('that nobody reads holds neither its run nor other clients, and ends in time', async () => {
    await t.engine.outcome(replies.texts('x'.repeat(3_000_000)));
    const before = (await t.engine.runs()).length;
    const exp = Math.floor(Date.now() / 1000) + 5;
    const token = await t.issuer.sign({ projects: [t.projectId], exp });
    const body = JSON.stringify({ assistant_id, stream: true, thread });
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Content-Length': String(body.length),
    };
    const target = `/api/projects/${t.projectId}/openai/v1/threads/runs`;
    const socket = await openSocket(t.url, requestText('POST', target, headers, body));
    socket.pause();
    await until('the run ends', async () => (await t.engine.runs())[before]?.status === 'completed');
    const other = await open().finalRun();
    expect(other.status).toBe('completed');
    await t.idle();
    socket.destroy();
  });

  test('reports an error that occurs before it begins with its status', async () => {
    const limit = { method: 'POST', path: '/v1/responses', exact: true };
    for (const by of [client, await openVersion4(t)]) {
      await t.engine.fault(limit, { kind: 'status', status: 429 });
      const seen: string[] = [];
      const stream = open(by);
      stream.on('error', (error) => seen.push(error.constructor.name)).on('end', () => seen.push('end'));
      await expect(stream.done()).rejects.toMatchObject({ status: 429 });
      expect(seen).toEqual(['RateLimitError', 'end']);
    }
  });

  test('that version 4 of the package aborts ends', async () => {
    await t.engine.timing({ queueMs: 0, runMs: 60_000 });
    const stream = open(await openVersion4(t));
    const seen: string[] = [];
    stream.on('abort', (error) => seen.push(error.constructor.name)).on('end', () => seen.push('end'));
    stream.on('textCreated', () => stream.abort());
    await expect(stream.done()).rejects.toThrow('aborted');
    expect(seen).toEqual(['APIUserAbortError', 'end']);
    await t.idle();
  });
});

describe('a stream of submitted outputs', () => {
  const weather = { type: 'function' as const, function: { name: 'get_weather' } };
  let functionsAssistant: string;

  /** Starts a run that waits for an output. */
  async function startWaiting() {
    await t.engine.outcome(replies.functionCall('get_weather', { city: 'Rome' }));
    const run = await client.beta.threads.createAndRunPoll(
      { assistant_id: functionsAssistant, thread },
      poll,
    );
    return { run, params: outputsOf(run) };
  }

  const outputsOf = (run: OpenAI.Beta.Threads.Run) => ({
    thread_id: run.thread_id,
    tool_outputs: (run.required_action?.submit_tool_outputs.tool_calls ?? []).map(({ id }) => ({
      tool_call_id: id,
      output: 'sunny',
    })),
  });

  beforeEach(async () => {
    const { projectId } = await t.addProject({ editors: ['eve'] });
    client = await openClient(t, { projectId, claims: { sub: 'eve', projects: [projectId] } });
    const created = await client.beta.assistants.create({ model: 'gpt-5-mini', tools: [weather] });
    functionsAssistant = created.id;
  });

  test('ends where the run waits again, and the next one goes on', async () => {
    const { run, params } = await startWaiting();
    await t.engine.outcome(replies.functionCall('get_weather', { city: 'Oslo' }));
    const second = await client.beta.threads.runs.submitToolOutputsStream(run.id, params).finalRun();
    expect(second).toMatchObject({ id: run.id, status: 'requires_action' });
    const stream = client.beta.threads.runs.submitToolOutputsStream(run.id, outputsOf(second));
    const calls: string[] = [];
    stream.on('toolCallDone', (call) => calls.push(call.id));
    const [message] = await stream.finalMessages();
    expect(JSON.stringify(message?.content)).toContain('sunny');
    expect(calls).toEqual([]);
  });

  test('that the client aborts between rounds leaves the run to be retrieved and streamed again', async () => {
    const { run, params } = await startWaiting();
    await t.engine.timing({ runMs: 1_500 });
    await t.engine.outcome(replies.functionCall('get_weather', { city: 'Oslo' }));
    const stream = client.beta.threads.runs.submitToolOutputsStream(run.id, params);
    stream.on('event', () => stream.abort());
    await expect(stream.done()).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    const { thread_id } = run;
    const waiting = await client.beta.threads.runs.poll(run.id, { thread_id }, poll);
    expect(waiting.status).toBe('requires_action');
    const ended = client.beta.threads.runs.submitToolOutputsStream(run.id, outputsOf(waiting));
    expect((await ended.finalRun()).status).toBe('completed');
  });

  test('goes on in another worker when the first dies while the run waits', async () => {
    const { run, params } = await startWaiting();
    await t.kill();
    await t.restart();
    const { baseURL } = await openClient(t);
    const base = new URL(client.baseURL);
    base.port = new URL(baseURL).port;
    client = client.withOptions({ baseURL: String(base) });
    const stream = client.beta.threads.runs.submitToolOutputsStream(run.id, params);
    expect((await stream.finalRun()).status).toBe('completed');
  });

  test('that is lost is repeated by the package, and submits once', async () => {
    const { run, params } = await startWaiting();
    let lost = 0;
    const retrying = client.withOptions({
      maxRetries: 2,
      fetch: async (input, init) => {
        const response = await checkedFetch(input, init);
        if (!String(input).endsWith('submit_tool_outputs') || lost++ > 0) return response;
        await response.body?.cancel();
        throw new TypeError('fetch failed');
      },
    });
    const stream = retrying.beta.threads.runs.submitToolOutputsStream(run.id, params);
    expect((await stream.finalRun()).status).toBe('completed');
    expect(JSON.stringify(await stream.finalMessages())).toContain('sunny');
    const rounds = await t.engine.roundsOf(run.id);
    expect([lost, rounds.length]).toEqual([2, 2]);
  });
});
