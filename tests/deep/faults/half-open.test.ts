/**
 * Half-open connections: the network drops all packets without RST or FIN (`support/faults/network.ts`). The node closes
 * the connection of a vanished client within 40 s, the client misses no message after it reconnects, and the SDK
 * reconnects by itself when the server has vanished.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { HoldfastNode } from '../../../infra/local/servers/node.ts';
import { createClient } from '../../../server/client/node.ts';
import { metric, post } from '../../support/api.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type ClientHost, IsolatedNode } from '../../support/faults/isolated-node.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** By default a ping every 30 s, and 10 s for its pong. */
const GONE_MS = 40_000;
const QUICK = { HEARTBEAT_INTERVAL_MS: '4000', HEARTBEAT_TIMEOUT_MS: '1500' };
const QUICK_GONE_MS = 5_500;
/** Allowance for a machine that runs all tests. */
const SLACK_MS = 5_000;
/** Three per second of the interval, so that some are pinged just before the cut: the worst case. */
const VICTIMS = 90;

describeWith('netns')('peers that vanish', () => {
  let isolated: IsolatedNode;
  let node: HoldfastNode;
  /** The host that is cut off; `lively` is not. */
  let lost: ClientHost;
  let lively: ClientHost;
  let token: string;

  beforeAll(async () => {
    isolated = await IsolatedNode.start({ MAX_CONNECTIONS_PER_USER: '1000', ...NO_RATE_LIMITS });
    node = isolated.node;
    [lost, lively] = [await isolated.clientHost('lost'), await isolated.clientHost('lively')];
    token = await isolated.token('ada');
  }, 120_000);
  afterAll(() => isolated?.stop(), 60_000);

  const connect = ({ url }: ClientHost) => RawClient.open(`${url.replace('http', 'ws')}/ws`, token);
  const connections = () => metric(node.metricsUrl, 'holdfast_connections');
  const closes = (code: string) => metric(node.metricsUrl, 'holdfast_closes_total', { code });

  async function publish(channel: string, from: number, to: number): Promise<void> {
    for (let i = from; i <= to; i++) expect((await post(node.url, token, { channel, data: i })).offset).toBe(i);
  }

  test(`with the default heartbeat, ${VICTIMS} half-open connections are closed within 40 s, and a working one stays open`, async () => {
    const bystander = await connect(lively);
    await bystander.subscribe('room:lively');
    const before = await connections();
    const victims = await Promise.all(Array.from({ length: VICTIMS }, () => connect(lost)));
    expect(await connections()).toBe(before + VICTIMS);
    await lost.host.cutOff();
    const cutAt = performance.now();
    await sleep(3_000);
    // For both kernels and for the node, every connection is still open.
    expect(await isolated.host.established(lost.host)).toBe(VICTIMS);
    expect(await lost.host.established(isolated.host)).toBe(VICTIMS);
    expect([await connections(), await closes('4003')]).toEqual([before + VICTIMS, 0]);
    const timeoutMs = GONE_MS + SLACK_MS - (performance.now() - cutAt);
    await eventually(async () => expect(await connections()).toBe(before), { timeoutMs, intervalMs: 100 });
    expect(await closes('4003')).toBe(VICTIMS);
    // The close frames of the node did not arrive either: only its heartbeat timeout can have closed the connections.
    expect(await lost.host.established(isolated.host)).toBe(VICTIMS);
    expect(victims.filter((victim) => victim.closed)).toEqual([]);
    await publish('room:lively', 1, 1);
    await eventually(() => expect([bystander.closed, bystander.offsets()]).toEqual([undefined, [1]]));
    expect(bystander.pushes.filter((push) => push.type === 'ping').length).toBeGreaterThan(0);
    for (const client of [bystander, ...victims]) client.close();
    await lost.host.restore();
    await eventually(async () => expect(await connections()).toBe(0));
  }, 120_000);

  test('a subscriber that was half-open reconnects and receives all that it missed', async () => {
    await node.restart(QUICK);
    const channel = 'room:missed';
    const gone = await connect(lost);
    const { epoch } = await gone.subscribe(channel);
    await publish(channel, 1, 20);
    await eventually(() => expect(gone.offsets()).toEqual(offsetsUpTo(20)));
    await lost.host.cutOff();
    await publish(channel, 21, 70);
    await eventually(async () => expect([await connections(), await closes('4003')]).toEqual([0, 1]));
    await publish(channel, 71, 120);
    expect(await lost.host.established(isolated.host)).toBe(1);
    expect([gone.closed, gone.offsets()]).toEqual([undefined, offsetsUpTo(20)]);
    // As a phone does that changes from a dead network to another one.
    const returned = await connect(lively);
    expect(await returned.subscribe(channel, { epoch, offset: 20 })).toMatchObject({ recovered: true, offset: 20 });
    await publish(channel, 121, 130);
    await eventually(() => expect(returned.offsets()).toEqual(offsetsUpTo(130).slice(20)));
    await lost.host.restore();
    // The kernel of the node may still deliver what it held: in order, and then the end of the connection.
    await gone.closeCode(60_000);
    expect(gone.offsets()).toEqual(offsetsUpTo(gone.offsets().length));
    const again = await connect(lost);
    expect(await again.subscribe(channel, { epoch, offset: 20 })).toMatchObject({ recovered: true, offset: 20 });
    await eventually(() => expect(again.offsets()).toEqual(offsetsUpTo(130).slice(20)));
    for (const client of [returned, again]) client.close();
  }, 120_000);

  test('the SDK detects by itself that the server has vanished, and misses nothing after the reconnect', async () => {
    await node.restart(QUICK);
    const channel = 'room:sdk';
    const got: number[] = [];
    const trouble: unknown[] = [];
    const client = createClient({ url: lost.url, token, connectTimeoutMs: 2_000, backoff: { maxMs: 1_000 } });
    client.on('error', (error) => trouble.push([error.code, error.closeCode, error.message]));
    client.subscribe(channel, { onMessage: ({ offset }) => got.push(offset), onLost: (loss) => trouble.push(loss) });
    await client.connect();
    await publish(channel, 1, 1);
    await eventually(() => expect(got).toEqual([1]));
    await lost.host.cutOff();
    await publish(channel, 2, 50);
    // It waits for one heartbeat interval of the server and one and a half timeouts: 6,250 ms.
    await eventually(() => expect(trouble.length).toBeGreaterThan(0), { timeoutMs: 6_250 + SLACK_MS });
    expect(trouble[0]).toEqual(['connection_lost', 1006, expect.stringContaining('No frame arrived within 6250 ms')]);
    expect(got).toEqual([1]);
    await lost.host.restore();
    await publish(channel, 51, 60);
    await eventually(() => expect(got).toEqual(offsetsUpTo(60)), { timeoutMs: 30_000 });
    expect(trouble.filter((each) => !Array.isArray(each))).toEqual([]);
    client.close();
  }, 90_000);

  // A known defect: a connection that is behind gets no pings, so it ends only with SLOW_CONSUMER_MAX_MS (30 s).
  test.failing('half-open connections with unsent messages are closed as soon as others', async () => {
    await node.restart({ ...QUICK, SEND_HIGH_WATER_BYTES: '65536' });
    const channel = 'room:busy';
    const victims = await Promise.all(Array.from({ length: 20 }, () => connect(lost)));
    for (const victim of victims) await victim.subscribe(channel);
    await lost.host.cutOff();
    const data = 'x'.repeat(60_000);
    // More than the kernel buffers for a connection this young, plus the high-water mark.
    for (let i = 0; i < 15; i++) await post(node.url, token, { channel, data });
    try {
      await eventually(async () => expect(await connections()).toBe(0), { timeoutMs: QUICK_GONE_MS + SLACK_MS });
    } finally {
      await lost.host.restore();
      for (const victim of victims) victim.close();
    }
  }, 90_000);
});
