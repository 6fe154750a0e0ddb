import { beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import OpenAIv4 from 'openai-v4';
import { type Client, failuresOf, openClient } from '../support/assistantsApi.ts';
import { replies } from '../support/engine.ts';
import { pixel } from '../support/form.ts';
import { useService } from '../support/useService.ts';

/* What replies cite and make, in messages and in their events. */

type Message = OpenAI.Beta.Threads.Message;

const t = useService();
let client: Client;
let v4: OpenAIv4;
let engineIds: string[];
let fileIds: string[];
beforeAll(async () => {
  await t.changeProject();
  client = await openClient(t);
  v4 = new OpenAIv4({ baseURL: client.baseURL, apiKey: client.apiKey ?? '', maxRetries: 0 });
  fileIds = [];
  for (const name of ['plan.md', 'goals.md']) {
    const file = await toFile(Buffer.from('Hello'), name);
    fileIds.push((await client.files.create({ file, purpose: 'assistants' })).id);
  }
  engineIds = (await t.engine.files()).slice(-2).map(({ id }) => id);
});

/** A reply with a link, an emoji, and citations of both files; the second is cited twice at the same place. */
const text = 'Plans 🗺 exist . See https://example.com . Goals too .';
const cite = (file: number, at: string) => ({
  type: 'file_citation',
  file_id: engineIds[file],
  filename: ['plan.md', 'goals.md'][file],
  index: text.indexOf(at) + at.length,
});
const cited = (...more: object[]) =>
  replies.items({
    type: 'message',
    content: [
      {
        type: 'output_text',
        text,
        annotations: [
          cite(0, 'exist'),
          {
            type: 'url_citation',
            url: 'https://example.com',
            title: 'Example',
            start_index: text.indexOf('https'),
            end_index: text.indexOf(' . Goals'),
          },
          cite(1, 'Goals too'),
          cite(0, 'Goals too'),
          ...more,
        ] as never,
      },
    ],
  });
const value =
  'Plans 🗺 exist【0:0†source】 . See https://example.com . Goals too【0:1†source】【0:2†source】 .';

/** What programs do with citations, as the original's guide showed it. */
async function withFootnotes({ content: [part] }: Message) {
  if (part?.type !== 'text') throw new Error('no text');
  let { value: written } = part.text;
  const notes: string[] = [];
  for (const [index, annotation] of part.text.annotations.entries()) {
    written = written.replace(annotation.text, `[${index}]`);
    if (annotation.type === 'file_citation') {
      const { filename } = await client.files.retrieve(annotation.file_citation.file_id);
      notes.push(`[${index}] ${filename}`);
    }
  }
  return [written, ...notes];
}

const footnoted = [
  'Plans 🗺 exist[0] . See https://example.com . Goals too[1][2] .',
  '[0] plan.md',
  '[1] goals.md',
  '[2] plan.md',
];

const filesOf = ({ content: [part] }: Message) =>
  (part?.type === 'text' ? part.text.annotations : []).flatMap((annotation) =>
    annotation.type === 'file_citation' ? annotation.file_citation.file_id : [],
  );
const textWithoutMarkers = ({ content: [part] }: Message) =>
  part?.type === 'text' ? part.text.value.replaceAll(/【.*?】/g, '') : undefined;

const poll = { pollIntervalMs: 25 };
const start = {
  assistant_id: 'asst_test',
  thread: { messages: [{ role: 'user' as const, content: 'What?' }] },
};

async function replyOf(thread_id: string) {
  const { messages } = client.beta.threads;
  const [reply] = (await messages.list(thread_id)).data;
  expect(await messages.retrieve(reply?.id ?? '', { thread_id })).toEqual(reply);
  return reply as Message;
}

/** Streams a reply by version 4 of the package, which puts together what was sent; later ones take the last event's. */
async function streamByVersion4() {
  const stream = v4.beta.threads.createAndRunStream(start);
  let completed: unknown;
  stream.on('messageDone', (message) => {
    completed = message;
  });
  const [sent] = await stream.finalMessages();
  return { sent: sent as unknown as Message, completed: completed as Message };
}

/** Checks that each annotation names the text that is there. */
function checkRanges({ content: [part] }: Message) {
  if (part?.type !== 'text') throw new Error('no text');
  for (const annotation of part.text.annotations) {
    expect(part.text.value.slice(annotation.start_index, annotation.end_index)).toBe(annotation.text);
    expect(annotation.text).not.toBe('');
  }
}

describe('a citation', () => {
  test('has a marker in the text, which programs replace by what they like', async () => {
    await t.engine.outcome(cited());
    const { thread_id } = await client.beta.threads.createAndRunPoll(start, poll);
    const reply = await replyOf(thread_id);
    expect(reply.content).toMatchObject([{ type: 'text', text: { value } }]);
    checkRanges(reply);
    expect(await withFootnotes(reply)).toEqual(footnoted);
    expect(JSON.stringify(reply)).not.toContain(engineIds[0]);
    // The project API tells where they belong, without markers.
    const { body } = await t.call(`projects/${t.projectId}/threads/${thread_id}`);
    expect(body.messages.at(-1)).toMatchObject({
      content: text,
      annotations: [{ type: 'file_citation', filename: 'plan.md', index: 14 }, {}, {}, {}],
    });
    expect(JSON.stringify(body)).not.toContain('documentId');
  });

  test.each([
    ['as it is written', async () => undefined],
    [
      'without the stream of the engine',
      async () =>
        void (await t.engine
          .spoilStream('created', { afterEvents: 2 })
          .then(() => t.engine.refuseResume(400, null))),
    ],
  ])('is streamed with the text, %s', async (_, spoil) => {
    for (const stream of [
      async () => {
        const run = client.beta.threads.createAndRunStream(start);
        const deltas: string[] = [];
        const annotated: unknown[] = [];
        run.on('textDelta', (delta) => {
          deltas.push(delta.value ?? '');
          annotated.push(...(delta.annotations ?? []));
        });
        const [message] = await run.finalMessages();
        expect(deltas.join('')).toBe(value);
        expect(annotated).toHaveLength(3);
        return message as Message;
      },
      async () => (await v4.beta.threads.createAndRunStream(start).finalMessages())[0] as unknown as Message,
    ]) {
      await t.engine.outcome(cited());
      await spoil();
      const message = await stream();
      await t.engine.reset();
      const reply = await replyOf(message.thread_id);
      // Version 4 leaves the index of each delta in what it puts together.
      expect(message.content).toMatchObject(reply.content);
      expect(await withFootnotes(message)).toEqual(footnoted);
    }
  });

  test.each([
    ['whose text has gone on', () => [cite(1, 'Goals too'), cite(0, 'exist')], ['plan.md', 'goals.md'], 0],
    [
      'that was not in the stream',
      () => [{ ...cite(0, ''), index: 999 }, cite(1, 'exist')],
      ['plan.md', 'goals.md'],
      1,
    ],
  ])('%s is added at the end of what was sent, once', async (_, annotations, names, part) => {
    const parts = [{ type: 'output_text' as const, text, annotations: annotations() as never }];
    // A citation beyond its part is not announced, and the next part comes before it is known.
    const other = {
      type: 'output_text' as const,
      text: 'More.',
      annotations: [{ ...cite(1, ''), index: 5 }],
    };
    await t.engine.outcome(
      replies.items({ type: 'message', content: [...parts, ...(part ? [other as never] : [])] }),
    );
    const { sent: message, completed } = await streamByVersion4();
    const reply = await replyOf(message.thread_id);
    for (const one of [message, completed, reply]) {
      checkRanges(one);
      expect(filesOf(one).toSorted()).toEqual(filesOf(reply).toSorted());
    }
    const filenames = await Promise.all(
      filesOf(reply).map(async (id) => (await client.files.retrieve(id)).filename),
    );
    expect(new Set(filenames)).toEqual(new Set(names));
    expect(textWithoutMarkers(message)).toBe(textWithoutMarkers(reply));
    expect(completed.content).toEqual(reply.content);
  });

  test('has the id of its file, if that is one of the project', async () => {
    await t.engine.outcome(cited());
    const { thread_id } = await client.beta.threads.createAndRunPoll(start, poll);
    const [plan, goals] = fileIds;
    expect(filesOf(await replyOf(thread_id))).toEqual([plan, goals, plan]);
  });

  test('names another file in its project only, where it is neither read nor deleted', async () => {
    const engine = new OpenAI({ baseURL: t.engine.url, apiKey: 'test' });
    const file = await toFile(Buffer.from('Hello'), 'plan.md');
    const configured = await engine.files.create({ file, purpose: 'assistants' });
    await t.engine.outcome(cited({ ...cite(0, 'Goals too'), file_id: configured.id }));
    const { thread_id } = await client.beta.threads.createAndRunPoll(start, poll);
    const id = filesOf(await replyOf(thread_id)).at(-1) ?? '';
    expect(await client.files.retrieve(id)).toMatchObject({ id, filename: 'plan.md', bytes: 5 });
    const statusesOf = async (calls: Promise<unknown>[]) =>
      (await failuresOf(calls)).map(({ status }) => status);
    expect(await statusesOf([client.files.content(id), client.files.delete(id)])).toEqual([400, 400]);
    const { projectId } = await t.addProject();
    const { files } = await openClient(t, { projectId });
    const foreign = [files.retrieve(id), files.content(id), files.delete(id)];
    expect(await statusesOf(foreign)).toEqual([404, 404, 404]);
  });
});

describe('a file that a code interpreter made', () => {
  test('is where the text links to it, in the attachments, and an image also in the content', async () => {
    for (const [name, isImage] of [
      ['chart.png', true],
      ['table.csv', false],
    ] as const) {
      await t.engine.outcome(replies.generatedFile(name, pixel, 'Here 🗺 it is: '));
      const stream = client.beta.threads.createAndRunStream(start);
      const images: string[] = [];
      stream.on('imageFileDone', ({ file_id }) => images.push(file_id));
      const [message] = await stream.finalMessages();
      const reply = await replyOf(message?.thread_id ?? '');
      expect(message?.content).toEqual(reply.content);
      expect(message?.attachments).toEqual(reply.attachments);
      checkRanges(reply);
      const [part, image] = reply.content;
      const [annotation] = part?.type === 'text' ? part.text.annotations : [];
      if (annotation?.type !== 'file_path') throw new Error('no path');
      expect(annotation.text).toBe(`sandbox:/mnt/data/${name}`);
      const { file_id } = annotation.file_path;
      expect(reply.attachments).toEqual([{ file_id, tools: [{ type: 'code_interpreter' }] }]);
      expect(image).toEqual(isImage ? { type: 'image_file', image_file: { file_id } } : undefined);
      expect(images).toEqual(isImage ? [file_id] : []);
      expect((await client.files.retrieve(file_id)).filename).toBe(name);
      const content = await client.files.content(file_id);
      expect(Buffer.from(await content.arrayBuffer())).toEqual(pixel);
    }
  });

  test('is found in the text before citations that are announced earlier', async () => {
    const [text, path] = ['See sandbox:/mnt/data/a.csv as planned.', 'sandbox:/mnt/data/a.csv'];
    const made = { container_id: '', file_id: '', filename: 'a.csv' };
    await t.engine.outcome(
      replies.items(
        { type: 'code_interpreter_call', code: 'make()', files: [{ filename: 'a.csv', content: 'YQ==' }] },
        {
          type: 'message',
          content: [
            {
              ...{ type: 'output_text', text },
              annotations: [
                { ...cite(0, ''), index: text.length },
                { type: 'container_file_citation', ...made, start_index: 4, end_index: 4 + path.length },
              ] as never,
            },
          ],
        },
      ),
    );
    const { sent: message } = await streamByVersion4();
    const reply = await replyOf(message.thread_id);
    for (const one of [message, reply]) checkRanges(one);
    expect(message.content).toMatchObject([{ text: { value: `${text}【0:0†source】` } }]);
    expect(JSON.stringify(message.content)).toContain(`"text":"${path}"`);
  });
});
