import { describe, expect, test } from '@jest/globals';
import { parseProjects } from '../../../shared/projects/projects.ts';

const assistants = new Map([['asst_1', {}]]);
const smallest = { projectId: 'p-1', name: 'One', assistantId: 'asst_1' };

describe('a list of projects', () => {
  const issuesOf = (value: unknown): string => {
    try {
      parseProjects(value, assistants);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  test('gets empty members and groups where it names none', () => {
    expect(parseProjects([structuredClone(smallest)], assistants)).toEqual([
      { ...smallest, members: [], groups: [] },
    ]);
  });

  test('keeps everything that it says', () => {
    const full = {
      ...smallest,
      members: ['sub', 'oid'],
      groups: ['group'],
      instructions: 'Be brief.',
      vectorStoreIds: ['vs_1'],
    };
    expect(parseProjects([structuredClone(full)], assistants)).toEqual([full]);
  });

  test('may be empty', () => {
    expect(parseProjects([], assistants)).toEqual([]);
  });

  test.each<[string, unknown, RegExp]>([
    ['no list', smallest, /the file must be array/],
    ['null', null, /the file must be array/],
    ['a project that is text', ['p-1'], /\/0 must be object/],
    ...Object.keys(smallest).map((field): [string, unknown, RegExp] => [
      `no ${field}`,
      [smallest, { ...smallest, [field]: undefined }],
      RegExp(`/1 must have required property '${field}'`),
    ]),
    ['an impossible id', [{ ...smallest, projectId: 'a/b' }], /\/0\/projectId must match pattern/],
    ['an empty name', [{ ...smallest, name: '' }], /\/0\/name must NOT have fewer/],
    ['an unknown field', [{ ...smallest, member: ['sub'] }], /\/0 has an unknown field "member"/],
    ['members that are text', [{ ...smallest, members: 'sub' }], /\/0\/members must be array/],
    ['an empty member', [{ ...smallest, members: [''] }], /\/0\/members\/0 must NOT have fewer/],
    ['a group of null', [{ ...smallest, groups: [null] }], /\/0\/groups\/0 must be string/],
    ['a store twice', [{ ...smallest, vectorStoreIds: ['a', 'a'] }], /\/0\/vectorStoreIds must NOT have dup/],
    ['a project twice', [smallest, { ...smallest, name: 'Two' }], /p-1 is listed twice/],
    [
      'an assistant that is not configured',
      [{ ...smallest, assistantId: 'asst_2' }],
      /p-1: ASSISTANTS has no assistant "asst_2"/,
    ],
  ])('is not valid with %s', (_name, value, issue) => {
    expect(issuesOf(structuredClone(value))).toMatch(issue);
  });

  test('is told all its issues at once', () => {
    const issues = issuesOf([
      { ...smallest, name: '' },
      { ...smallest, projectId: '', colour: 'red' },
    ]);
    expect(issues.match(/^ {2}- /gm)).toHaveLength(3);
  });
});
