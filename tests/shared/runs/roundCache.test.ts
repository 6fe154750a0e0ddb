import { expect, test } from '@jest/globals';
import type { EngineRunState } from '../../../shared/model/runState.ts';
import { createRoundCache } from '../../../shared/runs/roundCache.ts';

const waitingRound = (characters: number) =>
  ({
    status: 'requires_action',
    calls: [{ kind: 'function', callId: 'call_1', name: 'f', arguments: 'x'.repeat(characters) }],
    instructions: 'Help.',
  }) satisfies EngineRunState;

test('keeps the calls and instructions of a waiting round, and nothing of its reply', () => {
  const cache = createRoundCache();
  const round = waitingRound(10);
  const step = { itemId: 'i', status: 'completed', details: { type: 'message', commentary: false } } as const;
  cache.add('r', { ...round, output: [{ step, parts: [{ text: 'canary', refusal: false }] }] });
  expect(cache.find('r')).toEqual(round);
  expect(cache.find('other')).toBeUndefined();
});

test('keeps no other states', () => {
  const cache = createRoundCache();
  cache.add('r', { status: 'completed' });
  expect(cache.find('r')).toBeUndefined();
});

test('forgets what was not used for longest when it holds too much', () => {
  const cache = createRoundCache();
  const million = 1_000_000;
  for (const id of ['a', 'b', 'c', 'd']) cache.add(id, waitingRound(million));
  expect(cache.find('a')).toBeDefined();
  // The same again takes no more room.
  cache.add('d', waitingRound(million));
  cache.add('e', waitingRound(million));
  expect(cache.find('b')).toBeUndefined();
  for (const id of ['a', 'c', 'd', 'e']) expect(cache.find(id)).toBeDefined();
  cache.add('f', waitingRound(5 * million));
  for (const id of ['a', 'c', 'd', 'e', 'f']) expect(cache.find(id)).toBeUndefined();
});
