/** Jest runs the TypeScript sources as native ES modules; swc strips the types, `npm run typecheck` checks them. */
export default {
  rootDir: import.meta.dirname,
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  testSequencer: '<rootDir>/tests/support/sequencer.mjs',
  globalSetup: '<rootDir>/tests/support/global-setup.mjs',
  globalTeardown: '<rootDir>/tests/support/global-teardown.mjs',
  // Integration and end-to-end tests start real servers; two at a time is what two cores carry.
  maxWorkers: 2,
  testTimeout: 60_000,
};
