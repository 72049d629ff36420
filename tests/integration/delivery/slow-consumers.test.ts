/** A consumer that is too slow costs nobody else anything, no queue grows beyond its cap, and in the end it misses nothing. */
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

  test('one that reads 1 KB a second among fifty is paused, closed with 4000, and caught up when its line is better', async () => {
    const channel = 'room:slow';
    const auditor = new Auditor({ graceMs: 600_000, history: httpHistory({ url: faulty.node(0).url, token }) });
    const follow = (name: string, port: number) =>
      new AuditedClient({ auditor, token, name, channels: [channel], wsUrl: () => `ws://127.0.0.1:${port}/ws` });
    const quick = Array.from({ length: 49 }, (_, i) => follow(`quick ${i}`, faulty.node(0).port));
    const slow = follow('slow', link.port);
    await eventually(() => expect([slow, ...quick].every((client) => client.isReady)).toBe(true));
    const memoryBefore = await value('holdfast_memory_bytes', { kind: 'resident' });
    link.limit(1_024);
    const data = 'x'.repeat(MESSAGE_BYTES);
    const worst: number[] = [];
    for (let i = 0; i < 600; i++) {
      expect((await post(faulty.node(0).url, token, { channel, data })).ok).toBe(true);
      if (i % 20 === 0) worst.push(await value('holdfast_unsent_bytes', { of: 'worst' }));
    }
    // Everybody else has everything, while the slow one is still stuck.
    const received = () => auditor.report().inOrder;
    await eventually(() => expect(received()).toBeGreaterThanOrEqual(49 * 600));
    expect(quick.map((client) => client.reconnects)).toEqual(quick.map(() => 0));
    await eventually(async () => expect(await value('holdfast_closes_total', { code: '4000' })).toBeGreaterThan(0));
    expect(await value('holdfast_slow_consumers_total', { result: 'paused' })).toBeGreaterThan(0);
    // At most the cap and the write that went over it, which is no larger; small pushes such as replies come on top.
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
    expect(await auditor.close()).toMatchObject({
      inOrder: 50 * 600,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      altered: 0,
    });
    for (const client of [slow, ...quick]) client.stop();
  }, 180_000);

  test('ephemeral events are dropped for who is behind, and only for them', async () => {
    const channel = 'room:typing';
    const [quick, typist] = await Promise.all([0, 1].map(() => RawClient.open(faulty.node(0).wsUrl, token)));
    const slow = await RawClient.open(`ws://127.0.0.1:${link.port}/ws`, token);
    for (const client of [quick, typist, slow]) await client?.subscribe(channel);
    link.blackhole('down');
    const data = 'x'.repeat(MESSAGE_BYTES);
    await eventually(async () => {
      await post(faulty.node(0).url, token, { channel, data });
      expect(await value('holdfast_unsent_bytes', { of: 'worst' })).toBeGreaterThan(0);
    });
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
