/**
 * Programs that some tests need and a machine may lack. `describeWith('redis', …)` runs where they are there; where
 * one is missing it is a skipped test whose name says why, and with CI=true a failing one. Installs nothing: that is
 * `global-setup.ts`.
 */
import { describe, test } from '@jest/globals';
import { findRequirement, REQUIREMENTS, type RequirementName } from './programs.ts';

/** `describe` for tests that need these programs. */
export function describeWith(...needs: readonly RequirementName[]): (name: string, fn: () => void) => void {
  const missing = needs.filter((need) => findRequirement(need) === undefined);
  if (missing.length === 0) return (name, fn) => describe(name, fn);
  const why = `needs ${missing.map((need) => REQUIREMENTS[need].programs[0]).join(', ')}`;
  const hint = `apt-get install ${missing.map((need) => REQUIREMENTS[need].package).join(' ')}`;
  if (process.env.CI === 'true') {
    return (name) =>
      test(name, () => {
        throw new Error(`This test ${why}, and in CI nothing is skipped: ${hint}`);
      });
  }
  return (name) => test.skip(`${name} (skipped: ${why}; ${hint})`, () => undefined);
}
