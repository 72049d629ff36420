/**
 * The shipped policies follow a day without flapping, survive a lost zone and a launch, and cut no connection; the
 * model loses no client.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ENVIRONMENT_NAMES, type Environment } from '../../../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../../../infra/environments/values.ts';
import { CURVE_NAMES, curve } from '../../../../../infra/plan/scaling/curves.ts';
import { simulate } from '../../../../../infra/plan/scaling/simulate.ts';

/** 80 % of the target of all tasks. For more, raise maxTasks. */
const peakOf = ({ service }: Environment) => service.maxTasks * service.targetConnections * 0.8;
const play = (environment: Environment, name: (typeof CURVE_NAMES)[number], seed = 1, peak = peakOf(environment)) =>
  simulate(environment, curve(name, { peak, zones: environment.network.zones, seed }));

describe.each([...ENVIRONMENT_NAMES])('%s', (name) => {
  const environment = ENVIRONMENTS[name];
  const { service } = environment;

  test.each([1, 2])('a working day (seed %i): tasks follow the load without flapping, and no client waits', (seed) => {
    const { summary } = play(environment, 'day', seed);
    expect(summary).toMatchObject({ verdict: 'good', flaps: 0, cut: 0, longestWaitMinutes: 0 });
    expect(summary.scaleOuts).toBeGreaterThan(0);
    expect(summary.scaleIns).toBeGreaterThan(0);
    expect(summary.fullestTask).toBeLessThan(service.maxConnections);
    expect(summary.leastHeadroom).toBeGreaterThan(0.5);
  });

  test('a steady load: the number of tasks stays', () => {
    expect(play(environment, 'flat').actions).toEqual([]);
  });

  test('the loss of a zone: all clients reconnect to the other zones within three minutes', () => {
    const { summary, minutes } = play(environment, 'storm');
    expect(summary).toMatchObject({ verdict: 'good', flaps: 0, cut: 0 });
    const back = minutes.findIndex(({ minute, waiting, wanted }) => minute > 60 && waiting < wanted * 0.01);
    expect((minutes[back]?.minute ?? Number.POSITIVE_INFINITY) - 60).toBeLessThanOrEqual(3);
  });

  test('a launch, tenfold within half an hour: more than 1 % of the clients wait for at most five minutes', () => {
    const { summary } = play(environment, 'ramp');
    expect(summary).toMatchObject({ verdict: 'good', flaps: 0, cut: 0 });
    expect(summary.longestWaitMinutes).toBeLessThanOrEqual(5);
  });
});

describe('a bad policy gets the verdict', () => {
  const { prod } = ENVIRONMENTS;
  const change = (service: Partial<Environment['service']>) => ({ ...prod, service: { ...prod.service, ...service } });

  test('flapping, with a cooldown below the delay of CloudWatch', () => {
    expect(play(change({ scaleOutCooldown: 60, scaleInBelowPercent: 90 }), 'day').summary.verdict).toBe('flapping');
  });

  test('saturated, with more clients than all tasks accept', () => {
    const small = change({ maxConnections: 15_000, maxTasks: 20 });
    expect(play(small, 'flat', 1, 320_000).summary.verdict).toBe('saturated');
  });

  test('connections cut, with a drain longer than the deregistration delay', () => {
    expect(play(change({ drainRate: 10 }), 'day').summary).toMatchObject({ verdict: 'connections cut' });
    expect(play(change({ drainRate: 10 }), 'day').summary.cut).toBeGreaterThan(0);
  });
});

test('for any policy and curve: tasks stay within their bounds, limits hold, and connected plus waiting clients equal the wanted ones', () => {
  const service = fc.record({
    minTasks: fc.integer({ min: 1, max: 5 }),
    extra: fc.integer({ min: 0, max: 20 }),
    targetConnections: fc.integer({ min: 100, max: 5_000 }),
    factor: fc.double({ min: 1, max: 3, noNaN: true }),
    drainRate: fc.integer({ min: 1, max: 500 }),
    acceptRate: fc.integer({ min: 1, max: 500 }),
  });
  fc.assert(
    fc.property(service, fc.constantFrom(...CURVE_NAMES), fc.integer({ min: 1, max: 20_000 }), (values, name, peak) => {
      const { minTasks, extra, targetConnections, factor, drainRate, acceptRate } = values;
      const maxTasks = minTasks + extra;
      const maxConnections = Math.ceil(targetConnections * factor);
      const base = ENVIRONMENTS.prod;
      const environment = {
        ...base,
        service: { ...base.service, minTasks, maxTasks, targetConnections, maxConnections, drainRate, acceptRate },
      };
      const played = { ...curve(name, { peak, zones: 3 }), hours: 3 };
      // One `expect` for all minutes: one for each takes seconds.
      const wrong = simulate(environment, played).minutes.filter(
        ({ desired, wanted, connected, waiting, fullest, room }) =>
          !(
            desired >= minTasks &&
            desired <= maxTasks &&
            fullest <= maxConnections + 1e-6 &&
            room >= -1e-6 &&
            Math.abs(connected + waiting - wanted) < peak * 1e-5 + 0.1
          ),
      );
      expect(wrong).toEqual([]);
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 20) },
  );
});
