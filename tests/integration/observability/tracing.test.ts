/** The trace of a message over two nodes, as an OTLP receiver gets it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { OtlpReceiver, type ReceivedSpan } from '../../support/otlp-receiver.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const CLIENT = 3;
const PRODUCER = 4;
const CONSUMER = 5;

describeWith('redis')('tracing', () => {
  let receiver: OtlpReceiver;
  let cluster: Cluster;
  let token: string;
  let clients: RawClient[];

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    cluster = await startTestCluster({
      nodes: 2,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        TRACE_SAMPLE_RATIO: '0',
        OTEL_BSP_SCHEDULE_DELAY: '200',
        LOG_LEVEL: 'warn',
      },
    });
    token = await cluster.token({ user: 'ada' });
    clients = await Promise.all(cluster.nodes.map((node) => RawClient.open(node.wsUrl, token)));
    await Promise.all(clients.map((client) => client.subscribe('room:traced')));
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await cluster?.stop();
    receiver?.stop();
  });

  let count = 0;
  const newTrace = () => (++count).toString(16).padStart(32, 'a');
  const PARENT = 'b7ad6b7169203331';

  /** Publishes through the first node with this traceparent. */
  async function publish(data: string, traceparent: string, channel = 'room:traced') {
    const posted = await fetch(`${cluster.node(0).url}/v1/chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', traceparent },
      body: JSON.stringify({ channel, data }),
    });
    return (await posted.json()) as { ok: boolean; id: string; offset: number };
  }

  /** Resolves with the spans of a trace when there are as many as expected. */
  const spansOf = (traceId: string, expected: number): Promise<ReceivedSpan[]> =>
    eventually(() => {
      const spans = receiver.trace(traceId);
      expect(spans.map(({ name, node }) => `${name} ${node}`)).toHaveLength(expected);
      return spans;
    });
  const one = (spans: readonly ReceivedSpan[], name: string, node = 'node-1') => {
    const found = spans.filter((span) => span.name === name && span.node === node);
    expect(found).toHaveLength(1);
    return found[0] as ReceivedSpan;
  };

  test('the trace of a sampled publish has spans for commit, Redis, and the fan-out on both nodes', async () => {
    const traceId = newTrace();
    const { id, offset } = await publish('sampled', `00-${traceId}-${PARENT}-01`);
    for (const client of clients) await client.next('message', (message) => message.data === 'sampled');
    const spans = await spansOf(traceId, 5);
    const root = one(spans, 'publish');
    expect(root).toMatchObject({
      kind: PRODUCER,
      parentSpanId: PARENT,
      attributes: {
        'messaging.system': 'holdfast',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'room:traced',
        'messaging.message.id': id,
        'holdfast.offset': offset,
      },
    });
    for (const name of ['commit', 'publish to Redis'])
      expect(one(spans, name)).toMatchObject({ kind: CLIENT, parentSpanId: root.spanId, links: [root.spanId] });
    for (const node of ['node-1', 'node-2'])
      expect(one(spans, 'fan-out', node)).toMatchObject({
        kind: CONSUMER,
        parentSpanId: root.spanId,
        links: [root.spanId],
        attributes: {
          'messaging.operation.type': 'process',
          'messaging.batch.message_count': 1,
          'holdfast.recipients': 1,
        },
      });
  });

  test('an unsampled publish has no span', async () => {
    const [unsampled, sampled] = [newTrace(), newTrace()];
    await publish('unsampled', `00-${unsampled}-${PARENT}-00`);
    await publish('after it', `00-${sampled}-${PARENT}-01`);
    await spansOf(sampled, 5);
    expect(receiver.trace(unsampled)).toEqual([]);
  });

  test('a batch has one commit span, linked to every traced publish in it', async () => {
    const traces = Array.from({ length: 20 }, newTrace);
    // All at once, so that most of them are in the same batch.
    await Promise.all(traces.map((traceId, i) => publish(`batch ${i}`, `00-${traceId}-${PARENT}-01`)));
    const published = await eventually(() => {
      const spans = traces.flatMap((traceId) => receiver.trace(traceId));
      const roots = spans.filter(({ name }) => name === 'publish');
      expect(roots).toHaveLength(traces.length);
      const commits = spans.filter(({ name }) => name === 'commit');
      const linked = commits.flatMap(({ links }) => links);
      expect(linked.sort()).toEqual(roots.map(({ spanId }) => spanId).sort());
      return { commits, spans };
    });
    expect(published.commits.length).toBeLessThan(traces.length);
    expect(Math.max(...published.commits.map(({ links }) => links.length))).toBeGreaterThan(1);
    // One fan-out per flush and node, not one per message and subscriber.
    const fanouts = published.spans.filter(({ name }) => name === 'fan-out');
    expect(fanouts.length).toBeLessThanOrEqual(2 * published.commits.length);
  });

  test('a failed publish is an error in its trace, and its log lines carry the trace id', async () => {
    const traceId = newTrace();
    await breakHistory(async () => {
      expect((await publish('lost', `00-${traceId}-${PARENT}-01`)).ok).toBe(false);
    });
    const spans = await spansOf(traceId, 2);
    expect(one(spans, 'publish').status).toBe(2);
    await eventually(() => {
      const output = cluster.node(0).process.output();
      const lines = output.split('\n').filter((line) => line.includes(traceId));
      const logged = lines.map((line) => JSON.parse(line) as { msg: string; trace_id?: string });
      expect(logged.map(({ msg, trace_id }) => [msg, trace_id])).toEqual([
        ['A history statement failed (append).', traceId],
        ['An HTTP request failed with an unexpected error.', traceId],
      ]);
    });
  });

  /** Renames the SQL function that stores messages, so that publishes fail with an internal error. */
  async function breakHistory(meanwhile: () => Promise<void>): Promise<void> {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: cluster.databaseUrl });
    await client.connect();
    await client.query('ALTER FUNCTION append_messages RENAME TO append_messages_gone');
    await meanwhile();
    await client.query('ALTER FUNCTION append_messages_gone RENAME TO append_messages');
    await client.end();
  }
});
