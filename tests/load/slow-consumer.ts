/**
 * A channel with a thousand subscribers, first all of them fast, then one of them at 1 KB a second. Compares the latency of
 * the others and the memory of the node in both phases, and checks that the slow subscriber misses nothing in the end.
 */
import { build, type Histogram } from 'hdr-histogram-js';
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import type { HoldfastNode } from '../../infra/local/servers/node.ts';
import { Auditor } from '../../server/audit/auditor.ts';
import { httpHistory } from '../../server/audit/http-history.ts';
import { metric } from '../support/api.ts';
import { AuditedClient } from '../support/audited-client.ts';
import { TcpProxy } from '../support/faults/tcp-proxy.ts';
import { eventually } from '../support/wait.ts';
import { progress, type Row } from './report.ts';
import { type LoadSession, openSession } from './session.ts';

const CHANNEL = 'bench:slow';
/** Only the slow subscriber follows it. Its messages fill the socket buffers of the kernel, which take megabytes. */
const FILLING = 'bench:slow:filling';
const FILLING_MESSAGES = 300;
const FILLING_BYTES = 50_000;
const SUBSCRIBERS = 1_000;
const PER_SECOND = 50;
const MESSAGE_BYTES = 2_000;
const SLOW_BYTES_PER_SECOND = 1_024;
/** Allowed ratio of the p99 of the others: two equal phases differ by this much on a shared machine. */
const P99_RATIO_MAX = 1.5;

export async function measureSlowConsumer(cluster: Cluster, token: string, seconds: number): Promise<Row[]> {
  const node = cluster.node(0);
  const link = await TcpProxy.start(node.port);
  try {
    const sessions = await Promise.all(Array.from({ length: SUBSCRIBERS - 1 }, () => openSession(node.wsUrl, token)));
    for (const session of sessions) session.send(`{"type":"subscribe","channel":"${CHANNEL}"}`);
    const auditor = new Auditor({ graceMs: 3_600_000, history: httpHistory({ url: node.url, token }) });
    const wsUrl = () => `ws://127.0.0.1:${link.port}/ws`;
    const slow = new AuditedClient({ auditor, token, name: 'slow', channels: [CHANNEL, FILLING], wsUrl });
    await eventually(() => must(slow.isReady));
    const publisher = await openSession(node.wsUrl, token);
    let current: Histogram | undefined;
    for (const session of sessions) {
      session.onFrame((frame) => {
        const at = /"at":([\d.]+)/.exec(frame.toString('latin1', 0, 400))?.[1];
        if (at !== undefined) current?.recordValue(Math.max(0, Math.round((performance.now() - Number(at)) * 1000)));
      });
    }
    const phase = async (name: string) => {
      progress(`${name} ...`);
      const histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
      current = histogram;
      const worst = await load(node, publisher, seconds);
      return {
        name,
        histogram,
        worst,
        memory: await metric(node.metricsUrl, 'holdfast_memory_bytes', { kind: 'resident' }),
      };
    };
    await phase('warming up');
    const alone = await phase('all subscribers fast');
    link.limit(SLOW_BYTES_PER_SECOND);
    await fill(node, publisher);
    const beside = await phase('one subscriber at 1 KB/s');
    link.heal();
    await eventually(async () => must(await isComplete(auditor)), { timeoutMs: 120_000 });
    const report = await auditor.close();
    slow.stop();
    for (const session of [publisher, ...sessions]) session.close();
    const ratio = p99(beside.histogram) / p99(alone.histogram);
    const wrong = report.lost + report.duplicated + report.reordered + report.altered;
    return [alone, beside].map(({ name, histogram, worst, memory }, i) => ({
      phase: name,
      deliveries: histogram.totalCount,
      p50_ms: histogram.getValueAtPercentile(50) / 1000,
      p99_ms: p99(histogram),
      p99_ratio: i === 0 ? 1 : ratio,
      memory_mb: memory / 1e6,
      most_unsent_kb: worst / 1e3,
      slow_subscriber_errors: i === 0 ? '' : wrong,
      slow_subscriber_recoveries: i === 0 ? '' : slow.recoveries,
      met: i === 0 || (ratio < P99_RATIO_MAX && wrong === 0 && worst > 0),
    }));
  } finally {
    await link.stop();
  }
}

const p99 = (histogram: Histogram) => histogram.getValueAtPercentile(99) / 1000;

async function isComplete(auditor: Auditor): Promise<boolean> {
  await auditor.follow();
  return auditor.isComplete;
}

/** Publishes at a steady rate, with the time of sending in the data. @returns the most unsent bytes of one connection */
async function load(node: HoldfastNode, publisher: LoadSession, seconds: number): Promise<number> {
  const padding = 'x'.repeat(MESSAGE_BYTES);
  const begin = performance.now();
  let worst = 0;
  for (let i = 0; i < seconds * PER_SECOND; i++) {
    const data = `{"at":${performance.now()},"padding":"${padding}"}`;
    publisher.send(`{"type":"publish","id":"${i}","channel":"${CHANNEL}","data":${data}}`);
    if (i % PER_SECOND === 0)
      worst = Math.max(worst, await metric(node.metricsUrl, 'holdfast_unsent_bytes', { of: 'worst' }));
    const due = begin + ((i + 1) * 1000) / PER_SECOND;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  return worst;
}

/** Publishes until the node holds unsent bytes for the slow subscriber. */
async function fill(node: HoldfastNode, publisher: LoadSession): Promise<void> {
  const data = JSON.stringify('x'.repeat(FILLING_BYTES));
  for (let i = 0; i < FILLING_MESSAGES; i++)
    publisher.send(`{"type":"publish","id":"f${i}","channel":"${FILLING}","data":${data}}`);
  await eventually(async () => must((await metric(node.metricsUrl, 'holdfast_unsent_bytes', { of: 'worst' })) > 0));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}

function must(condition: boolean): void {
  if (!condition) throw new Error('not yet');
}
