/**
 * Faults and changes of a Redis Cluster: lost and paused primaries, added servers, moved slots. Each channel is carried by
 * the primary of its slot; a fault or a change costs latency and loses nothing. Faults of a single Redis are in
 * `tests/integration/faults/redis.test.ts`.
 */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import type { RedisServer } from '../../../infra/local/servers/redis.ts';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { metric, post } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { AuditedPublisher } from '../../support/audited-publisher.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { TestRedisCluster } from '../../support/redis-cluster.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

const CANARY_TIMEOUT_MS = 1_000;

const ENV = {
  ...NO_RATE_LIMITS,
  REDIS_CLUSTER: 'true',
  REDIS_CANARY_INTERVAL_MS: '200',
  REDIS_CANARY_TIMEOUT_MS: String(CANARY_TIMEOUT_MS),
  // So long that nodes find a moved slot only by their own reaction, not by the periodic refresh of the slot map.
  REDIS_CLUSTER_REFRESH_MS: '600000',
  // So long that within the wait of a test only the backplane delivers, not the history poll.
  HISTORY_POLL_INTERVAL_MS: '60000',
  MAX_SUBSCRIPTIONS: '1000',
  LOG_LEVEL: 'warn',
};

/** Channels of a test: enough that every primary owns some. */
const CHANNELS = 12;

describeWith('redis7')('a Redis Cluster', () => {
  let redis: TestRedisCluster;
  let cluster: Cluster;
  let token: string;
  let auditor: Auditor;
  let clients: AuditedClient[];
  let publisher: AuditedPublisher;
  let channels: string[];
  let published: number;
  let turn = 0;

  beforeAll(async () => {
    redis = await TestRedisCluster.start({ replicas: 1, spare: 1 });
    cluster = await startTestCluster({ redisUrl: redis.url, env: ENV });
    token = await cluster.token({ user: 'ada' });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    await redis?.stop();
  });

  beforeEach(async () => {
    turn++;
    published = 0;
    channels = Array.from({ length: CHANNELS }, (_, i) => `room:${turn}-${i}`);
    auditor = new Auditor({ history: httpHistory({ url: node(1).url, token }) });
    const wsUrl = (index: number) => () => node(index).wsUrl;
    clients = [0, 1].map((i) => new AuditedClient({ auditor, token, name: `c${i}`, channels, wsUrl: wsUrl(i) }));
    let sent = 0;
    publisher = new AuditedPublisher({ auditor, token, name: 'p', url: () => node(sent++ % 2).url });
    await eventually(() => expect(clients.every((client) => client.isReady)).toBe(true));
    await expectUp();
  });
  afterEach(async () => {
    for (const server of redis.servers) server.process.kill('SIGCONT');
    for (const client of clients) client.stop();
    await redis.setFailover(true);
  });

  const node = (index: number) => cluster.node(index);
  const redisName = (channel: string) => `holdfast:channel:${channel}`;
  const counts = (name: string, attributes?: Record<string, string>) =>
    Promise.all(cluster.nodes.map(({ metricsUrl }) => metric(metricsUrl, name, attributes)));
  const expectUp = (up = 1) =>
    eventually(async () => expect(await counts('holdfast_backplane_up')).toEqual([up, up]), { timeoutMs: 30_000 });

  /** Publishes `times` messages to each channel, through both nodes in turn. */
  async function publish(times = 5): Promise<void> {
    for (let i = 0; i < times; i++) for (const channel of channels) await publisher.publish(channel);
    published += times * channels.length;
  }

  async function expectDelivered(): Promise<void> {
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
  }

  /** Without a fault, messages arrive through Redis and not from the history. */
  async function expectThroughRedis(): Promise<void> {
    await expectUp();
    await expectDelivered();
    const reads = () => counts('holdfast_gaps_total');
    const before = await reads();
    await publish();
    await expectDelivered();
    expect(await reads()).toEqual(before);
  }

  async function expectNothingLost(): Promise<void> {
    const report = await auditor.close();
    expect(report).toMatchObject({
      ...{ acknowledged: published, inOrder: published * clients.length, findings: [] },
      ...{ lost: 0, duplicated: 0, reordered: 0, altered: 0, unstored: 0, declaredLost: 0 },
    });
    expect(clients.map((client) => client.reconnects)).toEqual([0, 0]);
  }

  const primaryOf = (channel: string) => redis.primaryOf(redisName(channel));

  test('carries each channel on the primary of its slot, and nowhere else', async () => {
    const primaries = new Set<RedisServer>();
    for (const channel of channels) {
      const primary = await primaryOf(channel);
      primaries.add(primary);
      for (const server of redis.servers) {
        const nodes = server === primary ? cluster.nodes.length : 0;
        expect(await redis.subscribersAt(server, redisName(channel))).toEqual({ sharded: nodes, classic: 0 });
      }
    }
    expect(primaries.size).toBe(3);
    await expectThroughRedis();
    await expectNothingLost();
  });

  /** 40 tickets, so that every primary owns some: the chance that one of three has none is below 1 in 1,000,000. */
  async function expectTicketsHonouredOnce(): Promise<void> {
    for (let i = 0; i < 40; i++) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${node(0).url}/auth/ticket`, { method: 'POST', headers });
      const { ticket } = (await answer.json()) as { ticket: string };
      const client = new RawClient(node(1).wsUrl, { query: `?ticket=${ticket}` });
      await client.next('welcome');
      const again = new RawClient(node(0).wsUrl, { query: `?ticket=${ticket}` });
      expect(await again.closeCode()).toBe(1008);
      client.close();
    }
    expect(await counts('holdfast_authentications_total', { result: 'unchecked' })).toEqual([0, 0]);
  }

  test('accepts each ticket once, on every primary', async () => {
    await expectTicketsHonouredOnce();
  });

  test('accepts each ticket once while its slot is on the way from one primary to another', async () => {
    const [from, to] = redis.servers as [RedisServer, RedisServer];
    const stop = await redis.beginToMoveSlots(from, to);
    await expectTicketsHonouredOnce();
    await stop();
  });

  test('when a primary is lost, its replica takes over, and the channels of the other primaries are not affected', async () => {
    const lost = await primaryOf(channels[0] as string);
    const others = [];
    for (const channel of channels) if ((await primaryOf(channel)) !== lost) others.push(channel);
    expect(others.length).toBeGreaterThan(0);
    lost.process.kill('SIGKILL');
    await expectUp(0);
    const received = () => counts('holdfast_backplane_received_total', { kind: 'messages' });
    const before = await received();
    await publish();
    await expectDelivered();
    // None of the messages of the other primaries came from the history.
    for (const [i, count] of (await received()).entries())
      expect(count - (before[i] as number)).toBeGreaterThanOrEqual(5 * others.length);
    await eventually(async () => expect(await primaryOf(channels[0] as string)).not.toBe(lost));
    await expectThroughRedis();
    await lost.restart();
    await expectThroughRedis();
    await expectNothingLost();
  }, 120_000);

  test('when a primary hangs, the connections to the others stay open, and it serves again as a replica when it continues', async () => {
    const hung = await primaryOf(channels[0] as string);
    const other = (await Promise.all(channels.map(primaryOf))).find((server) => server !== hung) as RedisServer;
    const connections = await redis.connectionsAt(other);
    // The cluster refuses writes until a replica takes over: longer here than the canary timeout.
    await redis.setFailover(false);
    hung.process.kill('SIGSTOP');
    await publish();
    await expectDelivered();
    await expectUp(0);
    await eventually(async () => expect(await redis.isComplete(other)).toBe(false));
    await sleep(2 * CANARY_TIMEOUT_MS);
    await redis.setFailover(true);
    await eventually(async () => expect(await primaryOf(channels[0] as string)).not.toBe(hung), { timeoutMs: 30_000 });
    await expectThroughRedis();
    expect(await redis.connectionsAt(other)).toEqual(connections);
    hung.process.kill('SIGCONT');
    await sleep(2_000);
    await expectThroughRedis();
    await expectNothingLost();
  }, 120_000);

  test('when another server is added, channels follow their slots under load, until the old primary has none', async () => {
    const [added] = redis.spares as [RedisServer];
    await redis.add(added);
    const from = await primaryOf(channels[0] as string);
    const slots = await redis.slotsOf(from);
    let moving = true;
    const flow = (async () => {
      while (moving) await publish(1);
    })();
    await redis.moveSlots(slots, from, added);
    moving = false;
    await flow;
    expect([await redis.slotsOf(from), await redis.slotsOf(added)]).toEqual([0, slots]);
    await expectDelivered();
    await expectThroughRedis();
    for (const channel of channels) {
      const { sharded } = await redis.subscribersAt(await primaryOf(channel), redisName(channel));
      expect(sharded).toBe(cluster.nodes.length);
    }
    await expectNothingLost();
  }, 180_000);

  test('when it takes a channel away, a node that only subscribes follows at once', async () => {
    const channel = 'room:listened';
    const client = await RawClient.open(node(0).wsUrl, token);
    await client.subscribe(channel);
    const from = await primaryOf(channel);
    const to = (await Promise.all(channels.map(primaryOf))).find((server) => server !== from) as RedisServer;
    await redis.moveSlotOf(redisName(channel), from, to);
    const expectFollowed = () =>
      eventually(async () => expect((await redis.subscribersAt(to, redisName(channel))).sharded).toBe(1));
    await expectFollowed();
    // The slot also moves back and forth before the node can react.
    await redis.moveSlotOf(redisName(channel), to, from);
    await redis.moveSlotOf(redisName(channel), from, to);
    await expectFollowed();
    client.close();
    await expectThroughRedis();
    await expectNothingLost();
  });

  test('when slots move, each node keeps its connections and subscribes each channel at its new primary', async () => {
    const client = await RawClient.open(node(0).wsUrl, token);
    const many = Array.from({ length: 300 }, (_, i) => `room:many-${i}`);
    await Promise.all(many.map((channel) => client.subscribe(channel)));
    const from = await primaryOf(channels[0] as string);
    const to = (await Promise.all(channels.map(primaryOf))).find((server) => server !== from) as RedisServer;
    const before = await Promise.all([from, to].map((server) => redis.connectionsAt(server)));
    // Subscribe and unsubscribe all the time, so that their answers mix with notices of removed channels.
    const other = await RawClient.open(node(0).wsUrl, token);
    const others = Array.from({ length: 50 }, (_, i) => `room:other-${i}`);
    let moving = true;
    const coming = (async () => {
      while (moving) {
        await Promise.all(others.map((channel) => other.subscribe(channel)));
        for (const channel of others) other.send({ type: 'unsubscribe', channel });
        // Without a pause the client itself takes a core, because it searches all that it has received.
        await sleep(10);
      }
    })();
    let moved = 0;
    try {
      for (const channel of many)
        if (moved < 60 && (await primaryOf(channel)) === from) {
          await redis.moveSlotOf(redisName(channel), from, to);
          moved++;
        }
    } finally {
      moving = false;
    }
    await coming;
    expect(moved).toBe(60);
    await expectUp();
    await eventually(async () => {
      for (const channel of many) {
        const { sharded } = await redis.subscribersAt(await primaryOf(channel), redisName(channel));
        expect([channel, sharded]).toEqual([channel, 1]);
      }
    });
    expect(await Promise.all([from, to].map((server) => redis.connectionsAt(server)))).toEqual(before);
    expect(readFileSync(node(0).process.logFile, 'utf8')).not.toContain('sunsubscribe');
    client.close();
    other.close();
    await expectThroughRedis();
    await expectNothingLost();
  }, 180_000);

  test('when a channel moves to which a node publishes without pause, the node follows at once', async () => {
    const channel = 'room:busy';
    const from = await primaryOf(channel);
    const to = (await Promise.all(channels.map(primaryOf))).find((server) => server !== from) as RedisServer;
    const publishes = (result: string) => metric(node(1).metricsUrl, 'holdfast_backplane_publishes_total', { result });
    let busy = true;
    const flow = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (busy) await post(node(1).url, token, { channel, data: 'x' });
      }),
    );
    try {
      const before = await publishes('failed');
      await redis.moveSlotOf(redisName(channel), from, to);
      await eventually(async () => expect(await publishes('failed')).toBeGreaterThan(before));
      await eventually(async () => {
        const [failed, ok] = [await publishes('failed'), await publishes('ok')];
        await sleep(300);
        expect(await publishes('failed')).toBe(failed);
        expect(await publishes('ok')).toBeGreaterThan(ok);
      });
    } finally {
      busy = false;
    }
    await flow;
  }, 90_000);

  test('when all servers are killed, messages come from the history until the servers are back', async () => {
    const all = [...redis.servers, ...redis.spares];
    for (const server of all) server.process.kill('SIGKILL');
    await expectUp(0);
    await publish();
    await expectDelivered();
    await Promise.all(all.map((server) => server.restart()));
    await expectThroughRedis();
    await expectNothingLost();
  }, 120_000);
});
