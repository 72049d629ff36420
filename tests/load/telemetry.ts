/**
 * CPU time of the node per publish: with tracing off, on but unsampled, one publish in 100 sampled, and all sampled; and the
 * share of the metrics, which are always on. Rounds alternate, so that changes of the machine affect all variants.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics as sdk } from '@opentelemetry/sdk-node';
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import { METRICS } from '../../server/telemetry/catalogue.ts';
import { createInstruments } from '../../server/telemetry/metrics.ts';
import { metric } from '../support/api.ts';
import { overWebSocket } from './publish.ts';
import { progress, type Row } from './report.ts';

const ROUNDS = 3;
/** Clock ticks per second in /proc, the same on every Linux platform that Node supports. */
const TICKS = 100;
/** Allowed ratio to the CPU time without tracing, for sampling of up to one publish in 100. */
const RATIO_MAX = 1.1;

const VARIANTS = [
  { what: 'tracing off', ratio: undefined },
  { what: 'tracing on, none sampled', ratio: '0' },
  { what: 'one publish in 100', ratio: '0.01' },
  { what: 'every publish', ratio: '1' },
] as const;

export async function measureTelemetry(cluster: Cluster, token: string, seconds: number): Promise<Row[]> {
  const sink = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.writeHead(200).end());
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(sink.address() as AddressInfo).port}`;
  const found = new Map<string, number[]>(VARIANTS.map(({ what }) => [what, []]));
  try {
    for (let round = 0; round < ROUNDS; round++)
      for (const { what, ratio } of VARIANTS) {
        progress(`${what} (round ${round + 1} of ${ROUNDS}) ...`);
        await cluster.node(0).restart({
          OTEL_EXPORTER_OTLP_ENDPOINT: ratio === undefined ? '' : endpoint,
          TRACE_SAMPLE_RATIO: ratio ?? '0',
        });
        found.get(what)?.push(await cpuPerPublish(cluster, token, seconds));
      }
  } finally {
    sink.close();
  }
  const off = median(found.get('tracing off') ?? []);
  const rows = VARIANTS.map(({ what, ratio }) => {
    const cpu = median(found.get(what) ?? []);
    const met = ratio === '1' || cpu <= off * RATIO_MAX;
    return { what, cpu_us_per_publish: cpu, ratio: cpu / off, target: ratio === '1' ? 'none' : `<= ${RATIO_MAX}`, met };
  });
  const own = metricsPerPublish();
  const share = { what: 'metrics (included in each of the above)', cpu_us_per_publish: own, ratio: own / off };
  return [...rows, { ...share, target: '<= 0.1', met: own <= 0.1 * off }];
}

/** CPU time of the node per stored publish, microseconds. */
async function cpuPerPublish(cluster: Cluster, token: string, seconds: number): Promise<number> {
  const node = cluster.node(0);
  const stored = () => metric(node.metricsUrl, 'holdfast_publishes_total', { via: 'ws', result: 'stored' });
  const before = { cpu: cpuSeconds(node.process.pid), count: await stored() };
  await overWebSocket(cluster, token, seconds);
  const after = { cpu: cpuSeconds(node.process.pid), count: await stored() };
  return ((after.cpu - before.cpu) * 1e6) / (after.count - before.count);
}

/** User and system time of a process: fields 14 and 15 of /proc/<pid>/stat, which follow the name of the command. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Microseconds for what one publish records: two histograms and two counters. Metrics per batch are not included. */
function metricsPerPublish(): number {
  const provider = new sdk.MeterProvider();
  const metrics = createInstruments(provider.getMeter('bench'), METRICS);
  const count = 1_000_000;
  const run = () => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) {
      metrics.add('holdfast.commands', 1, { type: 'publish' });
      metrics.record('holdfast.publish.stage.seconds', 0.00002, { stage: 'validate' });
      metrics.record('holdfast.publish.duration.seconds', 0.004, { via: 'ws' });
      metrics.add('holdfast.publishes', 1, { via: 'ws', result: 'stored' });
    }
    return ((performance.now() - begin) * 1_000) / count;
  };
  run();
  return run();
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
