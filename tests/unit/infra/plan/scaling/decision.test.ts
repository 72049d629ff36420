/** The rules by which AWS decides on the number of tasks, one by one. */
import { expect, test } from '@jest/globals';
import { ScalingDecision } from '../../../../../infra/plan/scaling/decision.ts';
import type { ScalingPolicy } from '../../../../../infra/plan/scaling/policy.ts';

const POLICY: ScalingPolicy = {
  minTasks: 2,
  maxTasks: 20,
  metric: { namespace: 'n', name: 'm', dimensions: {} },
  targetConnections: 1_000,
  targetCpuPercent: 60,
  scaleOutCooldown: 240,
  scaleIn: { connectionsBelow: 700, cpuPercentBelow: 42, minutes: 15, percent: 10, cooldown: 600 },
};

/** The desired number of tasks after each minute with these readings: [connections, CPU percent]. */
function play(readings: readonly (readonly [number | undefined, number | undefined])[], tasks: number): number[] {
  const decision = new ScalingDecision(POLICY);
  let now = tasks;
  return readings.map(([connections, cpuPercent], i) => {
    now = decision.decide(i + 1, { connections, cpuPercent }, now);
    return now;
  });
}
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test('adds tasks after three minutes above the target, in proportion', () => {
  expect(play(times(3, [1_500, 10]), 4)).toEqual([4, 4, 6]);
});

test('restarts the count after a minute at the target', () => {
  expect(play([...times(2, [1_500, 10] as const), [1_000, 10], ...times(2, [1_500, 10] as const)], 4)).toEqual(
    times(5, 4),
  );
});

test('adds tasks for CPU alone; of both metrics, the larger step counts', () => {
  expect(play(times(3, [900, 90]), 4)).toEqual([4, 4, 6]);
  expect(play(times(3, [2_000, 90]), 4)).toEqual([4, 4, 8]);
});

test('adds no second step within the cooldown', () => {
  expect(play(times(8, [1_500, 10]), 4)).toEqual([4, 4, 6, 6, 6, 6, 9, 9]);
});

test('stays between minTasks and maxTasks', () => {
  expect(play(times(3, [50_000, 10]), 4).at(-1)).toBe(20);
  expect(play(times(40, [1, 1]), 3).at(-1)).toBe(2);
});

test('removes a tenth of the tasks, at least one, after fifteen minutes with both metrics low', () => {
  expect(play(times(15, [600, 10]), 20).slice(-2)).toEqual([20, 18]);
  expect(play(times(15, [600, 10]), 5).slice(-2)).toEqual([5, 4]);
});

test('removes no task while one metric is not low', () => {
  expect(play(times(30, [600, 50]), 5)).toEqual(times(30, 5));
  expect(play(times(30, [800, 10]), 5)).toEqual(times(30, 5));
});

test('removes again only after the cooldown, but adds at any time', () => {
  const low = play(times(26, [600, 10]), 10);
  expect(low.slice(14, 26)).toEqual([9, ...times(9, 9), 8, 8]);
  const turned = play([...times(15, [600, 10] as const), ...times(3, [1_500, 10] as const)], 10);
  expect(turned.slice(-4)).toEqual([9, 9, 9, 14]);
});

test('keeps the number without data, and restarts the count', () => {
  expect(
    play([...times(2, [1_500, 10] as const), [undefined, undefined], ...times(2, [1_500, 10] as const)], 4),
  ).toEqual(times(5, 4));
  expect(play(times(30, [undefined, undefined]), 5)).toEqual(times(30, 5));
});
