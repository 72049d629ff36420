/** The shipped policies follow a day without flapping, take a lost zone and a launch, and cut nobody; and the model keeps its books. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ENVIRONMENT_NAMES, type Environment } from '../../../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../../../infra/environments/values.ts';
import { CURVE_NAMES, curve } from '../../../../../infra/plan/scaling/curves.ts';
import { simulate } from '../../../../../infra/plan/scaling/simulate.ts';

/** Eighty percent of what all tasks aim at: more is for raising maxTasks. */
const peakOf = ({ service }: Environment) => service.maxTasks * service.targetConnections * 0.8;
const play = (environment: Environment, name: (typeof CURVE_NAMES)[number], seed = 1, peak = peakOf(environment)) =>
  simulate(environment, curve(name, { peak, zones: environment.network.zones, seed }));

describe.each([...ENVIRONMENT_NAMES])('%s', (name) => {
  const environment = ENVIRONMENTS[name];
  const { service } = environment;

  test.each([1, 2, 3, 4, 5])(
    'a working day (seed %i): it follows, never turns back at once, and nobody waits',
    (seed) => {
      const { summary } = play(environment, 'day', seed);
      expect(summary).toMatchObject({ verdict: 'good', flaps: 0, cut: 0, longestWaitMinutes: 0 });
      expect(summary.scaleOuts).toBeGreaterThan(0);
      expect(summary.scaleIns).toBeGreaterThan(0);
      expect(summary.fullestTask).toBeLessThan(service.maxConnections);
      expect(summary.leastHeadroom).toBeGreaterThan(0.5);
    },
  );

  test('a steady load: nothing changes', () => {
    expect(play(environment, 'flat').actions).toEqual([]);
  });

  test('the loss of a zone: everybody is back within three minutes, on what is left', () => {
    const { summary, minutes } = play(environment, 'storm');
    expect(summary).toMatchObject({ verdict: 'good', flaps: 0, cut: 0 });
    const back = minutes.findIndex(({ minute, waiting, wanted }) => minute > 60 && waiting < wanted * 0.01);
    expect((minutes[back]?.minute ?? Number.POSITIVE_INFINITY) - 60).toBeLessThanOrEqual(3);
  });

  test('tenfold within half an hour: over one in a hundred waits for five minutes at most', () => {
    const { summary } = play(environment, 'ramp');
    expect(summary).toMatchObject({ verdict: 'good', flaps: 0, cut: 0 });
    expect(summary.longestWaitMinutes).toBeLessThanOrEqual(5);
  });
});

describe('a policy that is not good is told', () => {
  const { prod } = ENVIRONMENTS;
  const change = (service: Partial<Environment['service']>) => ({ ...prod, service: { ...prod.service, ...service } });

  test('flapping: a cooldown below what CloudWatch is late by', () => {
    expect(play(change({ scaleOutCooldown: 60, scaleInBelowPercent: 90 }), 'day').summary.verdict).toBe('flapping');
  });

  test('saturated: more than all tasks hold', () => {
    const small = change({ maxConnections: 15_000, maxTasks: 20 });
    expect(play(small, 'flat', 1, 320_000).summary.verdict).toBe('saturated');
  });

  test('connections cut: a drain that is slower than the delay', () => {
    expect(play(change({ drainRate: 10 }), 'day').summary).toMatchObject({ verdict: 'connections cut' });
    expect(play(change({ drainRate: 10 }), 'day').summary.cut).toBeGreaterThan(0);
  });
});

test('whatever happens: tasks stay within their bounds, limits hold, and no client is lost from the books', () => {
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
      for (const { desired, wanted, connected, waiting, fullest, room } of simulate(environment, played).minutes) {
        expect(desired).toBeGreaterThanOrEqual(minTasks);
        expect(desired).toBeLessThanOrEqual(maxTasks);
        expect(fullest).toBeLessThanOrEqual(maxConnections + 1e-6);
        expect(room).toBeGreaterThanOrEqual(-1e-6);
        expect(Math.abs(connected + waiting - wanted)).toBeLessThan(peak * 1e-5 + 0.1);
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 20) },
  );
});
