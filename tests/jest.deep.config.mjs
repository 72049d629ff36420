/** `npm run test:deep`: the tests that take long, started by `tests/support/run-deep.ts`. */
import { join } from 'node:path';
import base from '../jest.config.mjs';

export default {
  ...base,
  testMatch: ['<rootDir>/tests/{deep,drills}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  // The deployment takes longest and waits most of the time, so it starts first.
  testSequencer: join(base.rootDir, 'tests', 'support', 'sequencer.mjs'),
};
