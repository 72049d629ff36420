/**
 * A subscriber that reads too slowly: the other subscribers are not delayed, the bytes that a node holds for it stay
 * below a cap, and it misses nothing in the end.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { metric, post } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { TcpProxy } from '../../support/faults/tcp-proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

const HIGH_WATER = 65_536;
const MESSAGE_BYTES = 20_000;
/** Messages of the channel that all fifty follow. */
const SHARED = 200;

describeWith('redis')('slow consumers', () => {
  let faulty: FaultyCluster;
  let token: string;
  let link: TcpProxy;

  beforeAll(async () => {
    const env = { ...NO_RATE_LIMITS, SEND_HIGH_WATER_BYTES: String(HIGH_WATER), SLOW_CONSUMER_MAX_MS: '3000' };
    faulty = await startFaultyCluster({ nodes: 1, env });
    token = await faulty.cluster.token({ user: 'ada' });
    link = await TcpProxy.start(faulty.node(0).port);
  });
  afterEach(() => link.heal());
  afterAll(async () => {
    await link?.stop();
    await faulty?.stop();
  });

  const value = (name: string, labels?: Record<string, string>) => metric(faulty.node(0).metricsUrl, name, labels);
  const data = 'x'.repeat(MESSAGE_BYTES);
  const publish = (channel: string) => post(faulty.node(0).url, token, { channel, data });

  /** Publishes until the node holds unsent bytes. Before that, the socket buffers of the kernel take megabytes. */
  const fillBuffers = (channel: string) =>
    eventually(async () => {
      // One after the other: a batch would be one write, larger than what the cap below allows for.
      for (let i = 0; i < 20; i++) await publish(channel);
      expect(await value('holdfast_unsent_bytes', { of: 'worst' })).toBeGreaterThan(0);
    });

  test('one of fifty that reads 1 KB a second is paused, closed with 4000, and catches up when its connection is faster', async () => {
    const channel = 'room:slow';
    const auditor = new Auditor({ graceMs: 600_000, history: httpHistory({ url: faulty.node(0).url, token }) });
    const follow = (name: string, port: number, channels: readonly string[]) =>
      new AuditedClient({ auditor, token, name, channels, wsUrl: () => `ws://127.0.0.1:${port}/ws` });
    const quick = Array.from({ length: 49 }, (_, i) => follow(`quick ${i}`, faulty.node(0).port, [channel]));
    const slow = follow('slow', link.port, [channel, 'room:filling']);
    await eventually(() => expect([slow, ...quick].every((client) => client.isReady)).toBe(true));
    const memoryBefore = await value('holdfast_memory_bytes', { kind: 'resident' });
    link.limit(1_024);
    await fillBuffers('room:filling');
    const worst: number[] = [];
    for (let i = 0; i < SHARED; i++) {
      expect((await publish(channel)).ok).toBe(true);
      if (i % 20 === 0) worst.push(await value('holdfast_unsent_bytes', { of: 'worst' }));
    }
    // The others have received everything while the slow one still reads 1 KB a second.
    const received = () => auditor.report().inOrder;
    await eventually(() => expect(received()).toBeGreaterThanOrEqual(49 * SHARED));
    expect(quick.map((client) => client.reconnects)).toEqual(quick.map(() => 0));
    await eventually(async () => expect(await value('holdfast_closes_total', { code: '4000' })).toBeGreaterThan(0));
    expect(await value('holdfast_slow_consumers_total', { result: 'paused' })).toBeGreaterThan(0);
    // At most the high-water mark, plus one write of at most that size, plus small pushes such as replies.
    expect(Math.max(...worst)).toBeGreaterThan(0);
    expect(Math.max(...worst)).toBeLessThan(2 * HIGH_WATER + 1_000);
    const memoryGrowth = (await value('holdfast_memory_bytes', { kind: 'resident' })) - memoryBefore;
    expect(memoryGrowth).toBeLessThan(150_000_000);
    link.heal();
    await eventually(
      async () => {
        await auditor.follow();
        expect(auditor.isComplete).toBe(true);
      },
      { timeoutMs: 60_000 },
    );
    expect(slow.recoveries).toBeGreaterThan(0);
    const report = await auditor.close();
    const { offset: filling } = await publish('room:filling');
    expect(report).toMatchObject({
      inOrder: 50 * SHARED + filling - 1,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      altered: 0,
    });
    for (const client of [slow, ...quick]) client.stop();
  }, 180_000);

  test('ephemeral events are dropped for subscribers that are behind, and only for them', async () => {
    const channel = 'room:typing';
    const [quick, typist] = await Promise.all([0, 1].map(() => RawClient.open(faulty.node(0).wsUrl, token)));
    const slow = await RawClient.open(`ws://127.0.0.1:${link.port}/ws`, token);
    for (const client of [quick, typist, slow]) await client?.subscribe(channel);
    link.blackhole('down');
    await fillBuffers(channel);
    const dropped = await value('holdfast_events_dropped_total');
    for (let i = 0; i < 5; i++) typist?.send({ type: 'typing_start', channel });
    await eventually(() => expect(quick?.pushes.filter((push) => push.type === 'typing')).toHaveLength(5));
    expect((await value('holdfast_events_dropped_total')) - dropped).toBe(5);
    link.heal();
    await sleep(500);
    expect(slow.pushes.filter((push) => push.type === 'typing')).toEqual([]);
    for (const client of [quick, typist, slow]) client?.close();
  }, 60_000);
});
