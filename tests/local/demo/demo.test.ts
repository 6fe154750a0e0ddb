import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { fileForm, pixel } from '../../support/form.ts';
import { answersTo, submit, waitForAction } from '../../support/toolRounds.ts';
import { useService } from '../../support/useService.ts';

/* The messages that docs/local-development.md names, with the assistant of the demo. */

const assistant = await readFile(new URL('../../../local/demo/assistant.json', import.meta.url), 'utf8');
const guide = await readFile(new URL('../../../docs/local-development.md', import.meta.url), 'utf8');

const { $schema, ...definition } = JSON.parse(assistant);
// The tests' projects name this assistant.
const t = useService({ ASSISTANTS: JSON.stringify([{ ...definition, id: 'asst_test' }]) });

/** Sends a message that the documentation names. */
async function ask(message: string, attachments: { fileId: string }[] = []) {
  expect(guide).toContain(`"${message}"`);
  return t.startRun(undefined, { body: { message, attachments } });
}

async function replyTo(message: string, attachments?: { fileId: string }[]) {
  const { thread, run } = await ask(message, attachments);
  expect((await t.finish(run)).body.status).toBe('completed');
  return (await t.call(`${thread}?order=desc`)).body.messages[0];
}

test('a reply cites a document', async () => {
  const { annotations } = await replyTo('How does the authentication flow work?');
  expect(annotations[0]).toMatchObject({ type: 'file_citation', filename: 'authentication.md' });
});

test('a function is called', async () => {
  const { run, thread } = await ask('Get the build status of main');
  const action = await waitForAction(t, run);
  expect(action.toolCalls).toMatchObject([{ name: 'get_build_status', arguments: '{"branch":"main"}' }]);
  expect((await submit(t, run, answersTo(action, 'passed'))).status).toBe(200);
  expect((await t.finish(run)).body.status).toBe('completed');
  expect((await t.call(`${thread}?order=desc`)).body.messages[0].content).toContain('passed');
});

test('a call of an MCP server waits for approval', async () => {
  const { run } = await ask('Create an event for the release');
  const action = await waitForAction(t, run);
  expect(action.approvals).toMatchObject([{ server: 'calendar', tool: 'create_event' }]);
  expect((await submit(t, run, answersTo(action))).status).toBe(200);
  expect((await t.finish(run)).body.status).toBe('completed');
});

test('a chart is drawn', async () => {
  const { annotations } = await replyTo('Draw a chart of 3, 5 and 10');
  expect(annotations).toMatchObject([{ type: 'generated_file' }]);
});

test('an image is seen', async () => {
  const path = `projects/${t.projectId}/files`;
  const { body: file } = await t.call(path, { method: 'POST', body: fileForm('a.png', pixel) });
  const { content } = await replyTo('What does this picture show?', [{ fileId: file.fileId }]);
  expect(content).toMatch(/PNG/i);
});
