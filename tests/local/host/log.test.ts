import { stripVTControlCharacters } from 'node:util';
import { expect, test } from '@jest/globals';
import { toReadableLine } from '../../../local/host/log.ts';

const now = new Date(2026, 0, 2, 3, 4, 5);
/** Returns the line without colours. */
const readable = (facts: unknown) =>
  stripVTControlCharacters(toReadableLine(typeof facts === 'string' ? facts : JSON.stringify(facts), now));

test.each([
  [
    {
      level: 'information',
      function: 'getRun',
      requestId: 'r1',
      method: 'GET',
      path: '/api/x',
      status: 200,
      durationMs: 12,
    },
    '03:04:05 GET /api/x 200 12 ms requestId=r1',
  ],
  [{ level: 'error', function: 'followUp', code: 'unavailable' }, '03:04:05 error followUp code=unavailable'],
  [{ level: 'warning', event: 'late', ids: ['a', 'b'] }, '03:04:05 warning late ids=["a","b"]'],
  [{ level: 'information', message: 'Applied: x' }, '03:04:05 Applied: x'],
  ['no JSON', 'no JSON'],
  ['{no JSON', '{no JSON'],
])('shows a log line for people: %j', (facts, line) => {
  expect(readable(facts)).toBe(line);
});
