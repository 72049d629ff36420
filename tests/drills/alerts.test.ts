/**
 * Every alert fires on its own fault on a real cluster under load, and resolves after it, as reported by the API of Prometheus.
 * Before that the same cluster without a fault fires only Watchdog. `npm run alerts` prints the times.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ALERTS } from '../../dashboards/rules/index.ts';
import { describeWith } from '../support/requirements.ts';
import { type Drilled, drill } from './drill.ts';
import { FAULTS } from './faults.ts';
import { type Stage, setStage } from './stage.ts';

/** 1 hour at factor 60. */
const HEALTHY_MS = 60_000;
/** Two attempts, each with two waits of up to 2 minutes and the time to inject and end the fault. */
const DRILL_MS = 720_000;

test('every alert has exactly one fault', () => {
  const named = FAULTS.flatMap(({ alerts }) => Object.keys(alerts));
  const all = ALERTS.map(({ alert }) => alert).filter((name) => name !== 'Watchdog');
  expect(named.sort()).toEqual(all.sort());
});

describeWith(
  'redis',
  'nginx',
  'prometheus',
  'faketime',
)('on a real cluster', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage();
  }, 120_000);
  afterAll(() => stage?.stop(), 120_000);

  test(
    'a healthy cluster under load fires only Watchdog',
    async () => {
      const seen = new Set<string>();
      const until = performance.now() + HEALTHY_MS;
      while (performance.now() < until) {
        for (const name of await stage.prometheus[60].firing()) seen.add(name);
        await sleep(250);
      }
      expect([...seen]).toEqual(['Watchdog']);
      expect(stage.load.counts.acknowledged).toBeGreaterThan(500);
      expect(stage.load.counts.failed).toBe(0);
    },
    2 * HEALTHY_MS,
  );

  test.each(FAULTS.map((fault) => [fault.fault, fault] as const))(
    '%s: the alerts fire and resolve',
    async (_, fault) => {
      let results = await drill(stage, fault);
      // A pause of the machine for seconds is minutes in compressed time, so one retry is allowed.
      if (!results.every(isComplete)) results = await drill(stage, fault);
      expect(results.length).toBe(Object.keys(fault.alerts).length);
      for (const { alert, toFire, toResolve } of results)
        expect({ alert, toFire, toResolve }).toEqual({
          alert,
          toFire: expect.any(Number),
          toResolve: expect.any(Number),
        });
    },
    DRILL_MS,
  );
});

function isComplete({ toFire, toResolve }: Drilled): boolean {
  return toFire !== undefined && toResolve !== undefined;
}
