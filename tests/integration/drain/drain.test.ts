/** A drain keeps its rate and loses no message. A client that does not read delays no other client and misses no message. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { metric, post } from '../../support/api.ts';
import { NO_RATE_LIMITS, startTestCluster } from '../../support/cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

describeWith('redis')('drain and slow clients', () => {
  let cluster: Cluster;
  let token: string;

  beforeAll(async () => {
    const env = {
      DRAIN_RATE: '20',
      HEARTBEAT_INTERVAL_MS: '4000',
      HEARTBEAT_TIMEOUT_MS: '1500',
      SEND_HIGH_WATER_BYTES: '65536',
      LOG_LEVEL: 'warn',
      ...NO_RATE_LIMITS,
    };
    cluster = await startTestCluster({ nodes: 2, env });
    token = await cluster.token({ user: 'ada' });
  });
  afterAll(() => cluster?.stop());

  const node = (index: number) => cluster.node(index);

  test('SIGTERM asks clients to reconnect at DRAIN_RATE, refuses new ones, closes with 1012, and loses no message', async () => {
    const channel = 'room:drain';
    const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.open(node(0).wsUrl, token)));
    const { epoch } = await (clients[0] as RawClient).subscribe(channel);
    await Promise.all(clients.slice(1).map((client) => client.subscribe(channel)));
    const askedAt: number[] = [];
    for (const client of clients) {
      client.ws.on('message', (frame) => {
        if (String(frame).includes('"reconnect"')) askedAt.push(performance.now());
      });
    }
    const stopping = node(0).stop();
    await eventually(() => expect(askedAt.length).toBeGreaterThan(0));
    const refused = await fetch(`${node(0).url}/readyz`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ ready: false, draining: true });
    expect((await fetch(`${node(0).url}/healthz`)).status).toBe(200);
    const late = new RawClient(node(0).wsUrl);
    await late.closeCode();
    for (let i = 1; i <= 50; i++) expect((await post(node(1).url, token, { channel, data: i })).offset).toBe(i);
    for (const client of clients) expect(await client.closeCode(20_000)).toBe(1012);
    await stopping;
    // 40 connections at 20 per second take 2 s; the first tick sends some at once.
    expect((askedAt.at(-1) as number) - (askedAt[0] as number)).toBeGreaterThan(1_200);
    for (const client of clients) {
      expect(client.pushes.filter((push) => push.type === 'reconnect')).toHaveLength(1);
      const offset = client.offsets().at(-1) ?? 0;
      expect(client.offsets()).toEqual(offsetsUpTo(offset));
    }
    const returned = await RawClient.open(node(1).wsUrl, token);
    const offset = (clients[0] as RawClient).offsets().at(-1) ?? 0;
    expect(await returned.subscribe(channel, { epoch, offset })).toMatchObject({ recovered: true, offset });
    await eventually(() => expect(returned.offsets()).toEqual(offsetsUpTo(50).slice(offset)));
    returned.close();
    await node(0).restart();
  }, 60_000);

  test('a drain ends after DRAIN_TIMEOUT_MS, even if the rate would need longer', async () => {
    await node(0).restart({ DRAIN_RATE: '1', DRAIN_TIMEOUT_MS: '4000' });
    const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.open(node(0).wsUrl, token)));
    const begin = performance.now();
    await node(0).stop();
    // At the rate it would take 40 s. Above 4 s is time to close, and tolerance for a slow machine.
    expect(performance.now() - begin).toBeLessThan(15_000);
    for (const client of clients) {
      expect(await client.closeCode()).toBe(1012);
      expect(client.pushes.filter((push) => push.type === 'reconnect')).toHaveLength(1);
    }
    expect(await node(0).process.exited).toEqual({ code: 0, signal: null });
    await node(0).restart({ DRAIN_RATE: '20', DRAIN_TIMEOUT_MS: '30000' });
  }, 60_000);

  /** Posts 30 KB messages until `quick` has all up to `to`. 400 of them exceed the socket buffers of the kernel. */
  async function burst(channel: string, quick: RawClient, from: number, to: number): Promise<void> {
    const data = 'x'.repeat(30_000);
    for (let i = from; i <= to; i++) await post(node(1).url, token, { channel, data });
    await eventually(() => expect(quick.offsets()).toEqual(offsetsUpTo(to)));
  }

  test('a client that stops reading delays no other, and catches up when it reads again', async () => {
    const channel = 'room:slow';
    const [quick, slow] = (await Promise.all([0, 0].map((index) => RawClient.open(node(index).wsUrl, token)))) as [
      RawClient,
      RawClient,
    ];
    await Promise.all([quick, slow].map((client) => client.subscribe(channel)));
    slow.ws.pause();
    await burst(channel, quick, 1, 400);
    expect(await metric(node(0).metricsUrl, 'holdfast_slow_consumers_total', { result: 'paused' })).toBe(1);
    // Longer than the heartbeat timeout: a connection that is behind is not pinged.
    await sleep(6_000);
    slow.ws.resume();
    await eventually(() => expect([slow.closed, slow.offsets().length]).toEqual([undefined, 400]));
    expect(slow.offsets()).toEqual(offsetsUpTo(400));
    for (const client of [quick, slow]) client.close();
  }, 90_000);

  test('a client that does not read is closed with 4000, and recovers every message on another node', async () => {
    await node(0).restart({ SLOW_CONSUMER_MAX_MS: '500' });
    const channel = 'room:stuck';
    const [quick, stuck] = (await Promise.all([0, 0].map((index) => RawClient.open(node(index).wsUrl, token)))) as [
      RawClient,
      RawClient,
    ];
    const { epoch } = await stuck.subscribe(channel);
    await quick.subscribe(channel);
    stuck.ws.pause();
    await burst(channel, quick, 1, 400);
    await eventually(
      async () => expect(await metric(node(0).metricsUrl, 'holdfast_closes_total', { code: '4000' })).toBe(1),
      { timeoutMs: 30_000 },
    );
    stuck.ws.resume();
    await stuck.closeCode(30_000);
    const got = stuck.offsets();
    expect(got).toEqual(offsetsUpTo(got.length));
    const returned = await RawClient.open(node(1).wsUrl, token);
    expect(await returned.subscribe(channel, { epoch, offset: got.length })).toMatchObject({ recovered: true });
    await eventually(() => expect(returned.offsets().at(-1) ?? got.length).toBe(400), { timeoutMs: 30_000 });
    expect(returned.offsets()).toEqual(offsetsUpTo(400).slice(got.length));
    for (const client of [quick, returned]) client.close();
  }, 90_000);

  test('a client that vanishes without a close frame is closed for its missing pong', async () => {
    await node(0).restart();
    const silent = new RawClient(node(0).wsUrl);
    await eventually(() => expect(silent.ws.readyState).toBe(silent.ws.OPEN));
    // Removes the listener that answers pings, so no pong is sent from here on.
    silent.ws.removeAllListeners('message');
    silent.send({ type: 'auth', token });
    const lively = await RawClient.open(node(0).wsUrl, token);
    expect([1006, 4003]).toContain(await silent.closeCode());
    expect(await metric(node(0).metricsUrl, 'holdfast_closes_total', { code: '4003' })).toBe(1);
    expect(lively.closed).toBeUndefined();
    lively.close();
  });
});
