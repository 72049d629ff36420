/**
 * `describeWith('redis', ...)` is `describe` where the machine has what the tests need. Elsewhere its tests are skipped:
 * the name of the group says why, and `skip-reporter.mjs` prints a summary at the end. With HOLDFAST_TEST_STRICT=1 the
 * group fails instead. Installs nothing: that is the work of `global-setup.ts`.
 */
import { describe, test } from '@jest/globals';
import { FINDINGS, howToGet, type RequirementName, whyMissing } from './programs.ts';

type Group = (name: string, fn: () => void) => void;

/** `describe` for tests that need all of these. */
export function describeWith(...needs: readonly RequirementName[]): Group {
  const missing = needs.flatMap((need) => missingHere(need) ?? []);
  if (missing.length === 0) return describe;
  const names = needs.filter((need) => missingHere(need) !== undefined);
  const why = `${missing.join(', ')}; ${names.map(howToGet).join('; ')}`;
  if (isStrict(names)) {
    return (name) =>
      test(name, () => {
        throw new Error(`HOLDFAST_TEST_STRICT is set, and this group cannot run: ${why}`);
      });
  }
  return (name, fn) => describe.skip(`${name} [skipped: ${why}]`, fn);
}

function missingHere(name: RequirementName): string | undefined {
  const findings = JSON.parse(process.env[FINDINGS] ?? '{}') as Record<string, string | null>;
  const finding = findings[name];
  return finding === undefined ? whyMissing(name) : (finding ?? undefined);
}

/** HOLDFAST_TEST_MAY_SKIP lists, separated by commas, what may be missing all the same. */
function isStrict(names: readonly RequirementName[]): boolean {
  const { HOLDFAST_TEST_STRICT, HOLDFAST_TEST_MAY_SKIP = '' } = process.env;
  const tolerated = HOLDFAST_TEST_MAY_SKIP.split(',');
  return HOLDFAST_TEST_STRICT === '1' && !names.every((name) => tolerated.includes(name));
}
