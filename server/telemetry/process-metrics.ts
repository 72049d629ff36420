/** Gauges of the process: event loop, memory, start time. Reading a gauge does not change it, so several scrapers may read. */
import { totalmem } from 'node:os';
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Metrics } from './metrics.ts';

/** @param processes number of processes that share the memory of the container or machine (WORKERS) */
export function observeProcess(metrics: Metrics, processes: number): void {
  observeEventLoop(metrics);
  observeMemory(metrics, processes);
  const startedAt = performance.timeOrigin / 1000;
  metrics.observe('holdfast.start.time.seconds', () => startedAt);
}

/**
 * The gauges of the event loop cover the last one to two of these windows, milliseconds. A window is at least a usual scrape
 * interval.
 */
const WINDOW_MS = 10_000;

function observeEventLoop(metrics: Metrics): void {
  let current = lagHistogram();
  let last = lagHistogram();
  let currentBegin = performance.eventLoopUtilization();
  let lastBegin = currentBegin;
  setInterval(() => {
    last.disable();
    last = current;
    last.disable();
    current = lagHistogram();
    lastBegin = currentBegin;
    currentBegin = performance.eventLoopUtilization();
  }, WINDOW_MS).unref();
  // The monitor measures the period of its own timer. Only the excess over its resolution is lag.
  const lag = (of: (histogram: IntervalHistogram) => number) =>
    Math.max(0, Math.max(of(current), of(last)) / 1e9 - RESOLUTION_MS / 1e3);
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag((one) => one.percentile(50)), { quantile: '0.5' });
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag((one) => one.percentile(99)), { quantile: '0.99' });
  metrics.observe('holdfast.event.loop.lag.seconds', () => lag((one) => one.max), { quantile: '1' });
  metrics.observe(
    'holdfast.event.loop.utilization.ratio',
    () => performance.eventLoopUtilization(performance.eventLoopUtilization(), lastBegin).utilization,
  );
}

const RESOLUTION_MS = 10;

function lagHistogram(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return histogram;
}

function observeMemory(metrics: Metrics, processes: number): void {
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage.rss(), { kind: 'resident' });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage().heapUsed, { kind: 'heap' });
  metrics.observe('holdfast.memory.bytes', () => process.memoryUsage().external, { kind: 'external' });
  // Without a limit on the container, Node.js reports 0 or more than the memory of the machine.
  const constrained = process.constrainedMemory();
  const resident = (constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()) / processes;
  const heap = getHeapStatistics().heap_size_limit;
  metrics.observe('holdfast.memory.limit.bytes', () => resident, { kind: 'resident' });
  metrics.observe('holdfast.memory.limit.bytes', () => heap, { kind: 'heap' });
}
