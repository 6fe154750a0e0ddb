import { expect, test } from '@jest/globals';
import { runChaos } from './chaosRun.ts';
import { toText } from './report.ts';

/* Runs `npm run chaos` for 30 seconds. CHAOS_SEED is a number or `random`. */

const seconds = 30;
const { CHAOS_SEED = '1' } = process.env;
const seed = CHAOS_SEED === 'random' ? Math.floor(Math.random() * 1e9) : Number(CHAOS_SEED);

test('whatever fails, dies or vanishes: nothing hangs, nothing is lost or doubled', async () => {
  const report = await runChaos({ seconds, seed });
  // The summary includes the seed and the command that replays it.
  if (report.violations.length > 0) throw new Error(toText(report, seconds));
  // Check that the run exercised the service.
  expect(report.outcomes['201']).toBeGreaterThan(10);
  expect(report.faults['worker kill']).toBeGreaterThan(0);
  expect(report.readings).toBeGreaterThan(0);
}, 240_000);
