/**
 * `npm test`. Jest runs the TypeScript sources as native ES modules: swc strips the types, `npm run typecheck` checks them.
 * `tests/jest.deep.config.mjs` is the same for the tests that take long.
 */
import { availableParallelism } from 'node:os';

/**
 * One more than there are cores, since most integration tests wait half of their time. Each worker may start a cluster of its own;
 * beyond eight the memory of a usual machine is the limit, not its cores.
 */
const WORKERS = Math.min(availableParallelism() + 1, 8);

export default {
  rootDir: import.meta.dirname,
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/tests/deep/', '/tests/drills/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  globalSetup: '<rootDir>/tests/support/global-setup.mjs',
  globalTeardown: '<rootDir>/tests/support/global-teardown.mjs',
  reporters: ['default', '<rootDir>/tests/support/skip-reporter.mjs'],
  maxWorkers: WORKERS,
  testTimeout: 60_000,
};
