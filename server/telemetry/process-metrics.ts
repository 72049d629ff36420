/** Watches the process itself: event loop, memory, start. What it watches since the last scrape, one scraper should own. */
import { totalmem } from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Metrics } from './metrics.ts';

export function observeProcess(metrics: Metrics): void {
  observeEventLoop(metrics);
  observeMemory(metrics);
  const startedAt = performance.timeOrigin / 1000;
  metrics.observe('holdfast.start.time.seconds', () => startedAt);
}

function observeEventLoop(metrics: Metrics): void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  // The monitor measures its own 10 ms timer: what exceeds it is lag.
  const lag = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - 0.01);
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag(delay.percentile(50)), { quantile: '0.5' });
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag(delay.percentile(99)), { quantile: '0.99' });
  metrics.observe(
    'holdfast.event.loop.lag.seconds',
    () => {
      const worst = lag(delay.max);
      delay.reset();
      return worst;
    },
    { quantile: '1' },
  );
  let previous = performance.eventLoopUtilization();
  metrics.observe('holdfast.event.loop.utilization.ratio', () => {
    const current = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(current, previous);
    previous = current;
    return utilization;
  });
}

function observeMemory(metrics: Metrics): void {
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage.rss(), { kind: 'resident' });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage().heapUsed, { kind: 'heap' });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage().external, { kind: 'external' });
  // Without a limit on the container, Node reports none or one larger than the machine.
  const constrained = process.constrainedMemory();
  const resident = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const heap = getHeapStatistics().heap_size_limit;
  metrics.observe('holdfast.memory.limit.bytes', () => resident, { kind: 'resident' });
  metrics.observe('holdfast.memory.limit.bytes', () => heap, { kind: 'heap' });
}
