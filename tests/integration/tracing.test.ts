/** The trace of one message over two nodes, as a real OTLP receiver gets it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../infra/local/cluster.ts';
import { startTestCluster } from '../support/cluster.ts';
import { RawClient } from '../support/raw-client.ts';
import { describeWith } from '../support/requirements.ts';
import { eventually } from '../support/wait.ts';

describeWith('redis')('tracing', () => {
  const received: Buffer[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') received.push(Buffer.concat(chunks));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  let cluster: Cluster;

  beforeAll(async () => {
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    cluster = await startTestCluster({
      nodes: 2,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        TRACE_SAMPLE_RATIO: '0',
        OTEL_BSP_SCHEDULE_DELAY: '200',
        LOG_LEVEL: 'warn',
      },
    });
  });
  afterAll(async () => {
    await cluster?.stop();
    receiver.close();
  });

  test('a sampled publish is followed through commit and fan-out on both nodes; an unsampled one costs no span', async () => {
    const token = await cluster.token({ user: 'ada' });
    const clients = await Promise.all(cluster.nodes.map((node) => RawClient.open(node.wsUrl, token)));
    await Promise.all(clients.map((client) => client.subscribe('room:traced')));
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const post = (traceparent: string, data: string) =>
      fetch(`${cluster.nodes[0]?.url}/v1/chat.postMessage`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', traceparent },
        body: JSON.stringify({ channel: 'room:traced', data }),
      });
    await post(`00-${traceId.replace('0af7', 'ffff')}-b7ad6b7169203331-00`, 'unsampled');
    await post(`00-${traceId}-b7ad6b7169203331-01`, 'sampled');
    for (const client of clients) await client.next('message', (message) => message.data === 'sampled');
    const seen = () => Buffer.concat(received);
    const count = (text: string) => seen().toString('latin1').split(text).length - 1;
    await eventually(() => {
      expect(count('publish')).toBeGreaterThan(0);
      expect(count('commit')).toBeGreaterThan(0);
      // One on each node.
      expect(count('fan-out')).toBe(2);
    });
    const id = Buffer.from(traceId, 'hex');
    expect(seen().includes(id)).toBe(true);
    expect(seen().includes(Buffer.from(traceId.replace('0af7', 'ffff'), 'hex'))).toBe(false);
    for (const client of clients) client.close();
  });
});
