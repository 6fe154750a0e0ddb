import { basename } from 'node:path';
import Sequencer from '@jest/test-sequencer';

/** What takes longest, most of it in waits. Jest knows only after a first run, and takes large files for long ones. */
const longest = [
  'start',
  'chaos',
  'connections',
  'toolRoundEvents',
  'preflight',
  'openapi',
  'hanging',
  'engineBehaviour',
  'followUp',
  'template',
  'hazards',
  'waiting',
];

const rank = ({ path }) => {
  const slow = basename(path, '.slow.test.ts');
  if (slow === basename(path)) return longest.length + 1;
  const index = longest.indexOf(slow);
  return index < 0 ? longest.length : index;
};

/** Starts the longest test files first, so that none is left alone at the end, on a fresh clone either. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
