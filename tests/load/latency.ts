/** Latency in a quiet system: from a publish on one node to its ack, and to the delivery on another node. */
import { build } from 'hdr-histogram-js';
import type { Cluster } from '../../infra/local/servers/cluster.ts';
import type { Message } from '../../server/protocol/messages.ts';
import { progress, type Row } from './report.ts';
import { openSession } from './session.ts';

const PER_SECOND = 20;
const WARM_UP = 40;
const TARGET = { p50Ms: 5, p99Ms: 15 };

export async function measureLatency(cluster: Cluster, token: string, seconds: number): Promise<Row[]> {
  progress('20 messages a second, from one node to the other ...');
  const publisher = await openSession(cluster.node(0).wsUrl, token);
  const subscriber = await openSession(cluster.node(1).wsUrl, token);
  const subscribed = subscriber.next('subscribed');
  subscriber.send('{"type":"subscribe","channel":"bench:latency"}');
  await subscribed;
  const delivered = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  const acked = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
  const sentAt: number[] = [];
  const record = (histogram: typeof acked, index: number) => {
    if (index >= WARM_UP) histogram.recordValue(Math.round((performance.now() - (sentAt[index] as number)) * 1000));
  };
  subscriber.onFrame((frame) => {
    const message = JSON.parse(String(frame)) as Message;
    if (message.type === 'message') record(delivered, message.data as number);
  });
  publisher.onFrame((frame) => {
    const push = JSON.parse(String(frame)) as { type: string; id?: string };
    if (push.type === 'ack') record(acked, Number(push.id));
  });
  const count = WARM_UP + seconds * PER_SECOND;
  for (let i = 0; i < count; i++) {
    sentAt.push(performance.now());
    publisher.send(`{"type":"publish","id":"${i}","channel":"bench:latency","data":${i}}`);
    await new Promise((resolve) => setTimeout(resolve, 1000 / PER_SECOND));
  }
  publisher.close();
  subscriber.close();
  return [
    toResult('acknowledged', acked, count - WARM_UP),
    toResult('delivered on the other node', delivered, count - WARM_UP),
  ];
}

function toResult(name: string, histogram: ReturnType<typeof build>, expected: number): Row {
  const p50Ms = histogram.getValueAtPercentile(50) / 1000;
  const p99Ms = histogram.getValueAtPercentile(99) / 1000;
  const errors = expected - histogram.totalCount;
  const met = p50Ms < TARGET.p50Ms && p99Ms < TARGET.p99Ms && errors === 0;
  const target = `p50 < ${TARGET.p50Ms} ms, p99 < ${TARGET.p99Ms} ms`;
  return {
    what: name,
    per_second: PER_SECOND,
    p50_ms: p50Ms,
    p99_ms: p99Ms,
    count: histogram.totalCount,
    errors,
    target,
    met,
  };
}
