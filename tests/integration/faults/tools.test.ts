/** A node killed under load, and Redis gone, cost latency and never an acknowledged message. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { metric, post, readAll } from '../../support/api.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** Publishes as fast as acks come, remembers what was acknowledged, and ends when the connection does. */
async function publishUntilCut(
  wsUrl: string,
  token: string,
  channel: string,
  acked: Map<number, string>,
): Promise<void> {
  const client = await RawClient.open(wsUrl, token);
  let sent = 0;
  const send = () => client.send({ type: 'publish', id: `m${++sent}`, channel, data: `${wsUrl} m${sent}` });
  client.ws.on('message', (frame) => {
    const push = JSON.parse(String(frame)) as { type: string; id?: string; offset?: number };
    if (push.type !== 'ack') return;
    acked.set(push.offset as number, `${wsUrl} ${push.id}`);
    if (client.ws.readyState === client.ws.OPEN) send();
  });
  for (let i = 0; i < 50; i++) send();
  await client.closeCode(60_000);
}

describeWith('redis')('faults', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 2, env: { LOG_LEVEL: 'warn', ...NO_RATE_LIMITS } });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const node = (index: number) => cluster.node(index);

  test('after kill -9 of a node under load, every acknowledged message is in the history and at every subscriber that recovered', async () => {
    const channel = 'room:killed';
    const acked = new Map<number, string>();
    const survivor = await RawClient.open(node(1).wsUrl, token);
    await survivor.subscribe(channel);
    for (let round = 0; round < 4; round++) {
      const victim = await RawClient.open(node(0).wsUrl, token);
      const { epoch, offset } = await victim.subscribe(channel);
      const publishing = publishUntilCut(node(0).wsUrl, token, channel, acked);
      await sleep(300 + round * 137);
      await node(0).process.kill('SIGKILL');
      await publishing;
      await victim.closeCode();
      const got = victim.offsets();
      expect(got).toEqual(got.map((_, i) => offset + 1 + i));
      const returned = await RawClient.open(node(1).wsUrl, token);
      const position = { epoch, offset: got.at(-1) ?? offset };
      expect(await returned.subscribe(channel, position)).toMatchObject({ recovered: true, offset: position.offset });
      const last = Math.max(...acked.keys());
      await eventually(() => expect(returned.offsets().at(-1) ?? position.offset).toBeGreaterThanOrEqual(last));
      expect(returned.offsets()).toEqual(returned.offsets().map((_, i) => position.offset + 1 + i));
      returned.close();
      await node(0).restart();
    }
    expect(acked.size).toBeGreaterThan(200);
    const history = await readAll(node(1).url, token, channel);
    expect(history.map((message) => message.offset)).toEqual(offsetsUpTo(history.length));
    for (const [offset, data] of acked) expect(history[offset - 1]?.data).toBe(data);
    // The survivor was live all along; what the dead node committed and could not announce reached it too.
    await eventually(() => expect(survivor.offsets()).toEqual(offsetsUpTo(history.length)));
    survivor.close();
  }, 120_000);

  test('with Redis stopped, publishing and delivery on all nodes go on; after its return nothing comes twice', async () => {
    const channel = 'room:degraded';
    const clients = await Promise.all([0, 1, 0, 1].map((index) => RawClient.open(node(index).wsUrl, token)));
    await Promise.all(clients.map((client) => client.subscribe(channel)));
    const publish = async (from: number, to: number) => {
      for (let i = from; i <= to; i++)
        expect((await post(node(i % 2).url, token, { channel, data: i })).status).toBe(200);
    };
    await publish(1, 100);
    await cluster.redis?.process.stop('SIGTERM', 5_000);
    await publish(101, 200);
    for (const client of clients) await eventually(() => expect(client.offsets()).toEqual(offsetsUpTo(200)));
    const ready = (await (await fetch(`${node(0).url}/readyz`)).json()) as {
      ready: boolean;
      dependencies: { redis: string };
    };
    expect(ready).toMatchObject({ ready: true, dependencies: { redis: 'unreachable' } });
    await cluster.redis?.restart();
    await eventually(async () => expect(await metric(node(0).metricsUrl, 'holdfast_backplane_up')).toBe(1));
    await publish(201, 300);
    await sleep(300);
    for (const client of clients) {
      await eventually(() => expect(client.offsets()).toEqual(offsetsUpTo(300)));
      client.close();
    }
  }, 60_000);
});
