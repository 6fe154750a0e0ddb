import { availableParallelism } from 'node:os';

/** Packages that tests import and that take long to load. None of them is itself under test or looks at globals. */
const packages = ['@azure', 'ajv', 'fast-check', 'jose', 'minisearch', 'openai', 'openai-v4'];
const nativePackages = `/node_modules/(${packages.join('|')})/`;

/** @type {import('jest').Config} */
export default {
  testEnvironment: '<rootDir>/tests/support/environment.js',
  roots: ['<rootDir>/tests'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    [nativePackages]: '<rootDir>/tests/support/nativePackages.js',
    '\\.ts$': '<rootDir>/tests/support/stripTypes.js',
  },
  transformIgnorePatterns: [`/node_modules/(?!(${packages.join('|')})/)`],
  globalSetup: '<rootDir>/tests/support/globalSetup.ts',
  globalTeardown: '<rootDir>/tests/support/globalTeardown.ts',
  testSequencer: '<rootDir>/tests/support/sequencer.js',
  // Test files wait for processes more than they compute.
  maxWorkers: availableParallelism() + 2,
  // A worker leaves nothing open, but on a busy machine its end alone may take longer than Jest's half a second, and much
  // longer when it writes what it has run.
  workerGracefulExitTimeout: process.env.NODE_V8_COVERAGE === undefined ? 10_000 : 120_000,
  // Tests that restart the app take long on a busy machine; what a client waits for is bounded in support/service.ts.
  testTimeout: 60_000,
};
