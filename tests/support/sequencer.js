import Sequencer from '@jest/test-sequencer';

/** Small files that take long. Until Jest has measured them, it starts the largest files first. */
const long = /\/(chaos|load|hanging|connections|hazards|waiting|engineBehaviour|followUp)\.test\.ts$/;

/** Starts the tests that take longest first, on a fresh clone too, so that none is left alone at the end. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((a, b) => Number(long.test(b.path)) - Number(long.test(a.path)));
  }
}
