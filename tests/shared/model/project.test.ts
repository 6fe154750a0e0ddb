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
