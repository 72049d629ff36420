/** The short soak: one minute of random faults for each of two fixed seeds. `npm run soak -- --minutes 30` is the long one. */
import { expect, test } from '@jest/globals';
import { runSoak } from '../../load/soak-run.ts';
import { describeWith } from '../../support/requirements.ts';

const SECONDS = 60;

describeWith('redis')('the soak', () => {
  test.each([1, 2])(
    'with seed %i loses, doubles and reorders nothing',
    async (seed) => {
      const lines: string[] = [];
      const result = await runSoak({ seconds: SECONDS, seed, onProgress: (line) => lines.push(line) });
      const { audit, problems, faults, reconnects, recoveries } = result;
      expect({ problems, findings: audit.findings, lines: problems.length > 0 ? lines : [] }).toEqual({
        problems: [],
        findings: [],
        lines: [],
      });
      // There were enough faults, messages and reconnects to prove something.
      expect(Object.values(faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10);
      expect(audit.acknowledged).toBeGreaterThan(500);
      expect(reconnects).toBeGreaterThan(5);
      expect(recoveries).toBeGreaterThan(5);
    },
    300_000,
  );
});
