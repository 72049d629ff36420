/** PromQL: the metrics of an expression, compressed durations, and the query builders. */
import { describe, expect, test } from '@jest/globals';
import { compressGroup } from '../../../../dashboards/lib/compressed.ts';
import { compress, compressDuration, metricsIn, secondsOf } from '../../../../dashboards/lib/promql.ts';
import { queries } from '../../../../dashboards/lib/query.ts';

describe('metrics in an expression', () => {
  test.each([
    ['sum by (job) (rate(a_total{b="c_total"}[5m]))', ['a_total']],
    ['histogram_quantile(0.99, sum by (le) (rate(a_bucket[$__rate_interval])))', ['a_bucket']],
    ['(a + on (x) b) / clamp_min(a, 1) or vector(0)', ['a', 'b']],
    ['absent(up{job="holdfast"} == 1)', ['up']],
    ['level:metric:rate5m{slo="connect"} > 14.4 * 0.001', ['level:metric:rate5m']],
  ])('%s', (expr, names) => {
    expect(metricsIn(expr)).toEqual(names);
  });

  test('invalid PromQL is an error', () => {
    expect(() => metricsIn('sum(rate(a[5m])')).toThrow('Invalid PromQL');
  });
});

describe('compressed time', () => {
  test.each([
    ['rate(a[5m])', 'rate(a[5000ms])'],
    ['a offset 1h > 300', 'a offset 60000ms > 300'],
    ['max_over_time(a[1d:5m])', 'max_over_time(a[1440000ms:5000ms])'],
    ['a{window="5m"} > 5', 'a{window="5m"} > 5'],
    ['sum(a) > 100 / 3600', 'sum(a) > 100 / 3600'],
  ])('%s', (expr, compressed) => {
    expect(compress(expr, 60)).toBe(compressed);
  });

  test('durations', () => {
    expect(secondsOf('1h30m')).toBe(5_400);
    expect(compressDuration('2m', 60)).toBe('2000ms');
    expect(() => secondsOf('soon')).toThrow('Invalid duration: soon');
  });

  test('a group: recordings, alert expressions and `for`', () => {
    const alert = {
      alert: 'A',
      expr: 'a[1m]',
      for: '1m',
      severity: 'page',
      summary: '',
      description: '',
      threshold: '',
      board: 'slo',
    } as const;
    const group = compressGroup({ name: 'x', recordings: [{ record: 'r', expr: 'rate(a[1h])' }], alerts: [alert] }, 60);
    expect(group.recordings).toEqual([{ record: 'r', expr: 'rate(a[60000ms])' }]);
    expect(group.alerts[0]).toMatchObject({ expr: 'a[1000ms]', for: '1000ms' });
  });
});

describe('queries', () => {
  const q = queries({ range: '5m', match: 'instance=~"$node"' });
  test('contain matchers and labels', () => {
    expect(
      q.rate('holdfast.publishes', { where: { result: ['failed', 'stored'] }, not: { via: 'ws' }, by: ['via'] }),
    ).toBe('sum by (via) (rate(holdfast_publishes_total{instance=~"$node", result=~"failed|stored", via!="ws"}[5m]))');
    expect(q.quantile(0.99, 'holdfast.delivery.lag.seconds', { by: ['instance'] })).toBe(
      'histogram_quantile(0.99, sum by (le, instance) (rate(holdfast_delivery_lag_seconds_bucket{instance=~"$node"}[5m])))',
    );
  });
  test('a bound that is not a bucket is an error, because its share would always be 0', () => {
    expect(() => q.within('holdfast.delivery.lag.seconds', 0.3)).toThrow('has no bucket of 0.3');
  });
});
