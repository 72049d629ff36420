/** Gauges of the process do not change when they are read, because two scrapers read them on AWS. */
import { beforeAll, expect, test } from '@jest/globals';
import type { Metrics } from '../../../../server/telemetry/metrics.ts';
import { observeProcess } from '../../../../server/telemetry/process-metrics.ts';

const gauges = new Map<string, () => number | undefined>();

beforeAll(async () => {
  const observe = (name: string, read: () => number | undefined, labels: Readonly<Record<string, string>> = {}) =>
    gauges.set([name, ...Object.values(labels)].join(' '), read);
  observeProcess({ add: () => {}, record: () => {}, observe } as unknown as Metrics, 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const until = performance.now() + 300;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 50));
});

const read = (name: string) => gauges.get(name)?.() ?? Number.NaN;

test('every scraper sees a pause of the event loop, not only the first', () => {
  for (let i = 0; i < 3; i++) {
    expect(read('holdfast.event.loop.lag.seconds 1')).toBeGreaterThan(0.25);
    expect(read('holdfast.event.loop.utilization.ratio')).toBeGreaterThan(0.3);
  }
  expect(read('holdfast.event.loop.lag.seconds 0.5')).toBeLessThan(0.2);
});

test('memory is below the limits, and the start time is in the past', () => {
  for (const kind of ['resident', 'heap']) {
    expect(read(`holdfast.memory.bytes ${kind}`)).toBeGreaterThan(1e6);
    expect(read(`holdfast.memory.limit.bytes ${kind}`)).toBeGreaterThan(read(`holdfast.memory.bytes ${kind}`));
  }
  const started = read('holdfast.start.time.seconds');
  expect(started).toBeLessThanOrEqual(Date.now() / 1_000);
  expect(started).toBeGreaterThan(Date.now() / 1_000 - 3_600);
});
