/** `npm run test:deep`: the tests that take long, started by `tests/support/run-deep.ts`. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import base from '../jest.config.mjs';

export default {
  ...base,
  testMatch: ['<rootDir>/tests/{deep,drills}/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  // No worker more than there are cores: faults are timed, and the deployment determines how long the run takes.
  maxWorkers: Math.min(availableParallelism(), 8),
  // The deployment takes longest and waits most of the time, so it starts first.
  testSequencer: join(base.rootDir, 'tests', 'support', 'sequencer.mjs'),
};
