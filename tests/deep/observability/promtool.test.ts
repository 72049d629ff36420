/**
 * Every alert on simulated series, with promtool: silent before its fault, firing at the end of it, silent after it.
 * That real faults produce such series is tested by `tests/drills`.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { type RuleGroup, ruleFile } from '../../../dashboards/lib/rule.ts';
import { ALERTS, RULE_GROUPS } from '../../../dashboards/rules/index.ts';
import { removeTemporary, temporaryDirectory } from '../../../infra/host/reaper.ts';
import { describeWith } from '../../support/requirements.ts';
import { healthyTest, promtoolTest, SCENARIOS, type Scenario, titleOf } from '../../support/rule-scenarios.ts';

const run = promisify(execFile);
const PROMTOOL_MS = 60_000;

describeWith('promtool')('rules', () => {
  let directory = '';
  beforeAll(() => {
    directory = temporaryDirectory('rules');
  });
  afterAll(() => removeTemporary(directory));

  /** Output of promtool for one test with these groups: `SUCCESS`, or the failures. */
  async function promtool(check: { readonly name: string }, groups: readonly RuleGroup[], evaluation = '1m') {
    const base = join(directory, check.name.replaceAll(' ', '-'));
    const rule_files = groups.map((group) => {
      const file = `${base}-${group.name}.yml`;
      writeFileSync(file, ruleFile(group));
      return file;
    });
    const file = `${base}.test.yml`;
    writeFileSync(file, stringify({ rule_files, evaluation_interval: evaluation, tests: [check] }, { lineWidth: 0 }));
    const { stdout, stderr } = await run('promtool', ['test', 'rules', file]).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    return (stdout + stderr).replace(/^Unit Testing:.*\n/, '').trim();
  }

  /** Scenarios of days are evaluated every 5 minutes of simulated time: every minute would make the test slow. */
  const play = (scenario: Scenario, groups = groupOf(scenario)) =>
    promtool(promtoolTest(scenario), groups, scenario.minutes[0] > 1_000 ? '5m' : '1m');

  test('pass promtool check with lint', async () => {
    const files = RULE_GROUPS.map((group) => {
      const file = join(directory, `check-${group.name}.yml`);
      writeFileSync(file, ruleFile(group));
      return file;
    });
    expect((await run('promtool', ['check', 'rules', '--lint-fatal', ...files])).stdout).toContain('SUCCESS');
  });

  test('every alert has a scenario, and every scenario an alert', () => {
    const names = ALERTS.map(({ alert }) => alert).filter((name) => name !== 'Watchdog');
    const fired = SCENARIOS.filter(({ silent }) => !silent).map(({ alert }) => alert);
    expect([...new Set(fired)].sort()).toEqual(names.sort());
  });

  test.each(
    SCENARIOS.map(
      (scenario) =>
        [
          `${titleOf(scenario)}: ${scenario.silent ? 'does not fire' : 'fires during the fault and resolves after it'}`,
          scenario,
        ] as const,
    ),
  )(
    '%s',
    async (_, scenario) => {
      expect(await play(scenario)).toBe('SUCCESS');
    },
    PROMTOOL_MS,
  );

  test(
    'a healthy fleet fires only Watchdog',
    async () => {
      expect(await promtool(healthyTest(4), RULE_GROUPS)).toBe('SUCCESS');
    },
    PROMTOOL_MS,
  );

  test('a wrong threshold fails its scenario', async () => {
    const scenario = SCENARIOS.find(({ alert }) => alert === 'HoldfastHeadroomLow') as Scenario;
    const broken = groupOf(scenario).map((group) => ({
      ...group,
      alerts: group.alerts.map((alert) => ({ ...alert, expr: alert.expr.replace('> 2 / 3', '> 2 / 2') })),
    }));
    expect(await play(scenario, broken)).toContain('FAILED');
  });
});

function groupOf({ alert: name }: Scenario): RuleGroup[] {
  return RULE_GROUPS.filter(({ alerts }) => alerts.some(({ alert }) => alert === name));
}
