/**
 * Faults of Redis cost latency and nothing else: it is killed, paused, unreachable, failed over to its replica, or it
 * delivers nothing on a connection that stays open. A test of a further Redis fault belongs here; faults of a Redis
 * Cluster are in `tests/deep/faults/redis-cluster.test.ts`.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { metric, post } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { AuditedPublisher } from '../../support/audited-publisher.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import type { ProxiedConnection } from '../../support/faults/tcp-proxy.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** Short canary times, so that a subscription that receives nothing is found within seconds. */
const ENV = { ...NO_RATE_LIMITS, REDIS_CANARY_INTERVAL_MS: '200', REDIS_CANARY_TIMEOUT_MS: '1000' };

describeWith('redis')('the backplane fails', () => {
  let faulty: FaultyCluster;
  let token: string;
  let auditor: Auditor;
  let clients: AuditedClient[];
  let publisher: AuditedPublisher;
  let turn = 0;

  beforeAll(async () => {
    faulty = await startFaultyCluster({ nodes: 2, replica: true, env: ENV });
    token = await faulty.cluster.token({ user: 'ada' });
  });
  afterAll(() => faulty?.stop());

  beforeEach(async () => {
    const channel = `room:${++turn}`;
    auditor = new Auditor({ history: httpHistory({ url: faulty.node(1).url, token }) });
    clients = [0, 1, 0, 1].map(
      (node, index) =>
        new AuditedClient({
          auditor,
          token,
          name: `c${index}`,
          channels: [channel],
          wsUrl: () => faulty.node(node).wsUrl,
        }),
    );
    let sent = 0;
    publisher = new AuditedPublisher({ auditor, token, name: 'p', url: () => faulty.node(sent++).url });
    await eventually(() => expect(clients.every((client) => client.isReady)).toBe(true));
  });
  afterEach(() => {
    faulty.redisLink.heal();
    for (const client of clients) client.stop();
  });

  const up = (node: number) => metric(faulty.node(node).metricsUrl, 'holdfast_backplane_up');
  const deaf = (node: number) => metric(faulty.node(node).metricsUrl, 'holdfast_backplane_deaf_total');
  const bothUp = () => eventually(async () => expect([await up(0), await up(1)]).toEqual([1, 1]));
  const subscriberOf = (node: number) => (connection: ProxiedConnection) =>
    connection.said(`holdfast-subscriber-node-${node + 1}`);

  async function publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await publisher.publish(`room:${turn}`);
  }

  /** Every client has every acknowledged message, while the fault may still be there. */
  async function expectDelivered(): Promise<void> {
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
  }

  async function expectNothingLost(messages: number): Promise<void> {
    const report = await auditor.close();
    expect(report).toMatchObject({
      ...{ acknowledged: messages, inOrder: messages * clients.length, findings: [] },
      ...{ lost: 0, duplicated: 0, reordered: 0, altered: 0, unstored: 0, declaredLost: 0 },
    });
    expect(clients.map((client) => client.reconnects)).toEqual([0, 0, 0, 0]);
  }

  test('a subscriber connection that is open but deaf is found by its canary and replaced', async () => {
    await bothUp();
    const before = await deaf(0);
    const present = faulty.redisLink.connections.filter(subscriberOf(0));
    expect(present).toHaveLength(1);
    faulty.redisLink.blackhole('down', (connection) => present.includes(connection));
    await publish(50);
    await expectDelivered();
    await eventually(async () => expect(await deaf(0)).toBe(before + 1));
    await bothUp();
    await publish(50);
    await expectDelivered();
    expect(await deaf(1)).toBe(0);
    await expectNothingLost(100);
  }, 60_000);

  test('a subscription without messages is not taken for a deaf one', async () => {
    await bothUp();
    const before = await deaf(0);
    // Twice the time after which a deaf subscription is found.
    await sleep(2_000);
    expect([await deaf(0), await up(0)]).toEqual([before, 1]);
  });

  test('while Redis neither answers nor closes its connections, messages are delivered from the history', async () => {
    await bothUp();
    faulty.redisLink.blackhole();
    await publish(50);
    await expectDelivered();
    await eventually(async () => expect([await up(0), await up(1)]).toEqual([0, 0]));
    await publish(50);
    await expectDelivered();
    faulty.redisLink.heal();
    await bothUp();
    await publish(50);
    await expectDelivered();
    await expectNothingLost(150);
  }, 60_000);

  test('while Redis is paused, messages are delivered from the history', async () => {
    await bothUp();
    await faulty.redis.process.kill('SIGSTOP');
    await publish(50);
    await expectDelivered();
    await eventually(async () => expect([await up(0), await up(1)]).toEqual([0, 0]));
    await faulty.redis.process.kill('SIGCONT');
    await bothUp();
    await publish(50);
    await expectDelivered();
    await expectNothingLost(100);
  }, 60_000);

  test('a node that Redis disconnects for reading too slowly catches up from the history', async () => {
    await bothUp();
    await faulty.redis.command(['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 300kb 200kb 1']);
    faulty.redisLink.limit(20_000, subscriberOf(0));
    const data = 'x'.repeat(30_000);
    const before = faulty.redisLink.connections.filter(subscriberOf(0));
    for (let i = 0; i < 400; i++) {
      const { ok, epoch, offset } = await post(faulty.node(1).url, token, { channel: `room:${turn}`, data });
      expect(ok).toBe(true);
      auditor.acknowledged(`room:${turn}`, { epoch, offset }, data);
    }
    await eventually(() => expect(faulty.redisLink.connections).not.toContain(before[0]));
    await expectDelivered();
    faulty.redisLink.heal();
    await bothUp();
    await publish(20);
    await expectDelivered();
    await expectNothingLost(420);
  }, 90_000);

  test('a Redis that is killed leaves the nodes ready, and nothing comes twice when it is back, empty', async () => {
    await bothUp();
    await faulty.redis.process.kill('SIGKILL');
    await publish(50);
    await expectDelivered();
    const ready = await fetch(`${faulty.node(0).url}/readyz`);
    expect(await ready.json()).toMatchObject({ ready: true, dependencies: { redis: 'unreachable' } });
    await faulty.redis.restart();
    await bothUp();
    await publish(50);
    await expectDelivered();
    await expectNothingLost(100);
  }, 60_000);

  test('a failover to the replica loses nothing, whether the old primary becomes a replica or is gone', async () => {
    await bothUp();
    await faulty.failOverRedis({ oldStays: true });
    await publish(50);
    await expectDelivered();
    // The old primary refuses writes (READONLY). The nodes reconnect, and the name leads them to the new primary.
    const replica = new Redis(faulty.redis.url);
    await eventually(async () => {
      const list = String(await replica.client('LIST'));
      expect(list).toContain('name=holdfast-commands-node-1');
      expect(list).toContain('name=holdfast-commands-node-2');
    });
    replica.disconnect();
    await bothUp();
    await publish(50);
    await expectDelivered();
    await faulty.failOverRedis();
    await publish(50);
    await expectDelivered();
    await bothUp();
    await publish(50);
    await expectDelivered();
    await expectNothingLost(200);
  }, 90_000);
});
