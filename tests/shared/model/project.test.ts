import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isProjectId, normalProjectId } from '../../../shared/model/project.ts';
import { parseProjects } from '../../../shared/projects/projects.ts';

const assistants = new Map([['asst_1', {}]]);
const codeUnit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
const smallest = { projectId: 'p-1', name: 'One', assistantId: 'asst_1' };

describe('a project id', () => {
  test.each(['123e4567-e89b-12d3-a456-426614174000', 'p', 'A_b-9', 'x'.repeat(64)])('may be %s', (id) => {
    expect(isProjectId(id)).toBe(true);
  });

  test.each([undefined, '', ' ', 'a b', 'a/b', 'a:b', 'a.b', "a'b", 'ä', 'a\n', '\na', '😀', 'x'.repeat(65)])(
    'cannot be %j',
    (id) => {
      expect(isProjectId(id)).toBe(false);
    },
  );

  test('has nothing in it that an address or a key of the store would have to escape', () => {
    const safe = fc.string({ unit: fc.constantFrom(...'aZ09_-'), maxLength: 20 });
    fc.assert(
      fc.property(safe, fc.oneof(codeUnit, fc.constantFrom(...'aZ09_-')), safe, (before, unit, behind) => {
        expect(isProjectId(before + unit + behind)).toBe(/[A-Za-z0-9_-]/.test(unit));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the normal form of a project id', () => {
  test.each([
    ['123E4567-e89b-12D3-A456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
    ['123e4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
    ['Project-A', 'Project-A'],
    ['123E4567e89b12D3A456426614174000', '123E4567e89b12D3A456426614174000'],
  ])('of %s is %s', (id, normal) => {
    expect(normalProjectId(id)).toBe(normal);
  });

  test('is what a list of projects gets, which counts two spellings of a GUID as one', () => {
    const id = '123E4567-E89B-12D3-A456-426614174000';
    const project = { ...smallest, projectId: id };
    expect(parseProjects([project], assistants)).toMatchObject([{ projectId: id.toLowerCase() }]);
    const twice = [project, { ...smallest, projectId: id.toLowerCase() }];
    expect(() => parseProjects(twice, assistants)).toThrow(`${id.toLowerCase()} is listed twice`);
    const others = [
      { ...smallest, projectId: 'a' },
      { ...smallest, projectId: 'A' },
    ];
    expect(parseProjects(others, assistants)).toHaveLength(2);
  });
});

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
