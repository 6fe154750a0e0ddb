import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Project } from '../../../shared/model/project.ts';
import { idOf } from '../../support/paths.ts';
import { useService } from '../../support/useService.ts';

const t = useService();

const post = (path: string, token: string, body?: unknown, headers: Record<string, string> = {}) =>
  t.call(path, { method: 'POST', token, headers, ...(body !== undefined && { body }) });

describe('a project', () => {
  let project: Project;

  beforeAll(async () => {
    project = await t.addProject({ members: ['member-sub', 'member-oid'], groups: ['group-1'] });
  });

  const open = async (claims: Record<string, unknown>) =>
    t.call(`projects/${project.projectId}/threads`, {
      method: 'POST',
      token: await t.issuer.sign(claims),
    });

  test.each<[string, () => Record<string, unknown>]>([
    ["the token's projects list it", () => ({ projects: ['another', project.projectId] })],
    ['its members list the sub', () => ({ sub: 'member-sub' })],
    ['its members list the oid', () => ({ oid: 'member-oid' })],
    ['its groups list one of the groups', () => ({ groups: ['group-2', 'group-1'] })],
    [
      'one claim grants it and others have other shapes',
      () => ({ groups: 'none', oid: 7, projects: [null, 7, project.projectId] }),
    ],
  ])('is open when %s', async (_name, claims) => {
    expect((await open(claims())).status).toBe(201);
  });

  test.each<[string, () => Record<string, unknown>]>([
    ['no claim', () => ({})],
    ['projects as text', () => ({ projects: project.projectId })],
    ['projects as text with commas', () => ({ projects: `a,${project.projectId}` })],
    ['projects as an object', () => ({ projects: { [project.projectId]: project.projectId, length: 1 } })],
    ['projects as a list of lists', () => ({ projects: [[project.projectId]] })],
    ['projects of null', () => ({ projects: null })],
    ['projects that are a number', () => ({ projects: 1 })],
    ['other projects', () => ({ projects: ['another', ''] })],
    ['the project without its hyphens', () => ({ projects: [project.projectId.replaceAll('-', '')] })],
    ['the project with a space', () => ({ projects: [`${project.projectId} `] })],
    ['a part of the project', () => ({ projects: [project.projectId.slice(0, -1)] })],
    ['a wildcard', () => ({ projects: ['*', '.*', '%'] })],
    ['the name of the project', () => ({ projects: [project.name] })],
    ['a sub that only begins right', () => ({ sub: 'member-sub2' })],
    ['a sub in other letters', () => ({ sub: 'MEMBER-SUB' })],
    ['a sub that is a group', () => ({ sub: 'group-1' })],
    ['a sub that is the project', () => ({ sub: project.projectId })],
    ['an oid in a list', () => ({ oid: ['member-oid'] })],
    ['an oid in an object', () => ({ oid: { id: 'member-oid' } })],
    ['groups as text', () => ({ groups: 'group-1' })],
    ['groups as an object', () => ({ groups: { 0: 'group-1', length: 1 } })],
    ['groups as a list of lists', () => ({ groups: [['group-1']] })],
    ['groups that are members', () => ({ groups: ['member-sub', project.projectId] })],
    ['projects that are members', () => ({ projects: ['member-sub', 'group-1'] })],
    [
      'claims of other names',
      () => ({ roles: ['admin'], scope: project.projectId, members: ['member-sub'] }),
    ],
  ])('is closed to a token with %s', async (_name, claims) => {
    const response = await open(claims());
    expect(response.status).toBe(403);
    expect(response.body).toEqual({ message: 'Access denied to project', code: 'access_denied' });
    expect(await t.engine.calls()).toEqual([]);
    expect(t.store.roundTrips.filter((kind) => kind !== 'read' && kind !== 'query')).toEqual([]);
  });
});

describe('a response of 403', () => {
  test.each([
    ['createRun', 'POST', '/threads/thread_1/runs'],
    ['getRun', 'GET', '/threads/thread_1/runs/run_1'],
    ['createThread', 'POST', '/threads'],
    ['getThread', 'GET', '/threads/thread_1'],
  ])('of %s is the same for a project that is closed, absent or impossible', async (_route, method, rest) => {
    const own = (await t.addProject()).projectId;
    const closed = (await t.addProject({ members: ['somebody-else'] })).projectId;
    const others = [
      ...[randomUUID(), own.replaceAll('-', ''), 'constructor', '__proto__', 'x'.repeat(64)],
      ...['x'.repeat(65), 'a b', 'a/b', 'a:b', "a'b", '{projectId}', '*', 'prøject', '😀', `${own}\n`],
    ];
    const deny = async (projectId: string, claims: Record<string, unknown>) => {
      const { status, headers, text } = await t.call(`projects/${encodeURIComponent(projectId)}${rest}`, {
        method,
        ...(method === 'POST' && { body: { message: 'Hello' } }),
        token: await t.issuer.sign(claims),
      });
      const kept = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
      return { status, text, headers: kept };
    };
    const expected = await deny(closed, { projects: [own] });
    expect(expected.status).toBe(403);
    expect(expected.text).toBe('{"message":"Access denied to project","code":"access_denied"}');
    for (const projectId of others) {
      const response = await deny(projectId, { projects: [own, projectId] });
      expect({ projectId, ...response }).toEqual({ projectId, ...expected });
    }
    expect(await t.engine.calls()).toEqual([]);
  });
});

describe('a project id that is a GUID', () => {
  test('is the same in any case: in the path, in the token and in the record', async () => {
    const id = randomUUID();
    const upper = id.toUpperCase();
    await t.addProject({ projectId: upper, members: ['member'] });
    const [granted, member] = await Promise.all([
      t.issuer.sign({ projects: [upper] }),
      t.issuer.sign({ sub: 'member' }),
    ]);
    const opened = await post(`projects/${upper}/threads`, granted);
    expect([opened.status, opened.body.projectId]).toEqual([201, id]);
    expect(opened.headers.get('Location')).toBe(`/api/projects/${id}/threads/${opened.body.threadId}`);
    for (const token of [granted, member]) {
      for (const spelling of [id, upper]) {
        const { body } = await t.call(`projects/${spelling}/threads`, { token });
        expect(body.threads).toMatchObject([{ threadId: opened.body.threadId, projectId: id }]);
      }
    }
  });

  test('is no other when it is none', async () => {
    const id = `Project-${idOf(randomUUID())}`;
    await t.addProject({ projectId: id });
    const token = await t.issuer.sign({ projects: [id.toLowerCase()] });
    expect((await t.call(`projects/${id}/threads`, { token })).status).toBe(403);
    expect((await t.call(`projects/${id.toLowerCase()}/threads`, { token })).status).toBe(403);
  });
});
