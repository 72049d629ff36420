/** A15: whatever happens to Redis costs latency and nothing else, and a deaf subscription is told from a quiet one. */
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
import { eventually } from '../../support/wait.ts';

/** Only the history poll may deliver what Redis does not, so it must not be what hides a deaf subscription. */
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

  /** Everybody has everything, at once: the fault is still there. */
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

  test('a subscriber connection that is open but deaf is noticed by its canary and opened anew', async () => {
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

  test('a quiet subscription is not taken for a deaf one', async () => {
    await bothUp();
    const before = await deaf(0);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect([await deaf(0), await up(0)]).toEqual([before, 1]);
  });

  test('a Redis that neither answers nor closes is gone, and delivery goes on from the history', async () => {
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

  test('a paused Redis, too', async () => {
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

  test('a subscriber that Redis cuts off for reading too slowly catches up from the history', async () => {
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

  test('a Redis that is killed and comes back empty', async () => {
    await bothUp();
    await faulty.redis.process.kill('SIGKILL');
    await publish(50);
    await expectDelivered();
    await faulty.redis.restart();
    await bothUp();
    await publish(50);
    await expectDelivered();
    await expectNothingLost(100);
  }, 60_000);

  test('a failover to the replica: first with the old primary still there as a replica, then without it', async () => {
    await bothUp();
    await faulty.failOverRedis({ oldStays: true });
    await publish(50);
    await expectDelivered();
    // A write is refused by the old one (READONLY), which sends the nodes to where the name points now.
    // What was the replica is the primary now.
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
