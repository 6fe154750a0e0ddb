import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { schemaFaults } from '../../infra/schema.ts';
import schema from '../../shared/assistants/assistant.schema.json' with { type: 'json' };
import { assistantIssues } from '../../shared/assistants/assistants.ts';

const valid = { id: 'asst_a', name: 'A', model: 'm', instructions: 'Be brief.' };

/** Values at and beyond the bounds of every field, and some that fit no field. */
const anything = fc.oneof(
  fc.constantFrom(null, true, '', 'x', 'high', 'asst_b', 'asst_', 'x'.repeat(257), '👍'.repeat(256), {}, []),
  fc.constantFrom(-1, 0, 0.5, 1, 2, 2.5, 15, 16, 50, 51, 1_000_001),
  fc.array(
    fc.oneof(
      fc.record(
        {
          type: fc.constantFrom('file_search', 'code_interpreter', 'web_search', 'function'),
          vectorStoreIds: fc.array(fc.constantFrom('vs_1', 'vs_2', '', 1), { maxLength: 3 }),
          maxResults: fc.constantFrom(0, 1, 50, 51, 1.5),
          other: fc.constant(1),
        },
        { requiredKeys: [] },
      ),
      fc.constant(1),
    ),
    { maxLength: 10 },
  ),
);
const change = fc.dictionary(fc.constantFrom(...Object.keys(schema.properties), 'temprature'), anything, {
  maxKeys: 2,
});

describe('the check of assistants without a dependency', () => {
  test("accepts and refuses what the service's own check does", () => {
    const seen = { accepted: 0, refused: 0 };
    const property = fc.property(change, fc.boolean(), (fields, complete) => {
      const assistant = complete ? { ...valid, ...fields } : fields;
      const accepted = assistantIssues(assistant).length === 0;
      seen[accepted ? 'accepted' : 'refused'] += 1;
      expect([assistant, schemaFaults(assistant, schema).length === 0]).toEqual([assistant, accepted]);
    });
    fc.assert(property, { numRuns: 1_500 });
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(100);
  });

  test('names each fault with its place', () => {
    const assistant = {
      ...valid,
      name: undefined,
      topP: 0,
      tools: [{ type: 'file_search', maxResults: 99 }],
      x: 1,
    };
    const { name, ...nameless } = assistant;
    expect(schemaFaults(nameless, schema)).toEqual([
      'has an unknown field "x"',
      'must have the field "name"',
      'tools.0 is of no known kind',
      'topP must be more than 0',
    ]);
  });

  test('refuses a schema that says more than it can check', () => {
    expect(() => schemaFaults({}, { dependentRequired: {} })).toThrow('"dependentRequired"');
  });
});
