/**
 * Slow, greedy and malformed clients affect only themselves: after every attack a bystander has all its messages, memory
 * stays bounded, and no header or log line was split. Frames are in `frames.test.ts`; limits that an ordinary client
 * meets are in `tests/integration/access/limits.test.ts`.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { metric, post } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { dribble, exchange, request, UPGRADE } from '../../support/hostile/raw-http.ts';
import { pick, randomOf } from '../../support/random.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { eventually, sleep } from '../../support/wait.ts';

const ENV = {
  MAX_CONNECTIONS: '150',
  MAX_HTTP_CONNECTIONS: '100',
  MAX_CONNECTIONS_PER_USER: '100',
  MAX_SUBSCRIPTIONS: '50',
  COMMAND_RATE: '200',
  LOG_LEVEL: 'info',
};

const KINDS = [
  ...['subscribe', 'unsubscribe', 'publish', 'presence', 'typing_start', 'typing_stop', 'ping', 'pong', 'auth'],
];

describe('hostile clients', () => {
  let cluster: Cluster;
  let token: string;
  let mallory: string;
  let bystander: RawClient;
  let sent = 0;
  let memoryBefore = 0;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 1, redis: false, env: ENV });
    token = await cluster.token({ user: 'ada' });
    mallory = await cluster.token({ user: 'mallory' });
    bystander = await RawClient.open(node().wsUrl, token);
    await bystander.subscribe('room:bystander');
  });
  afterAll(async () => {
    bystander?.close();
    await cluster?.stop();
  });
  beforeEach(async () => {
    memoryBefore = await metric(node().metricsUrl, 'holdfast_memory_bytes', { kind: 'resident' });
  });
  /** After every attack the bystander has all messages in order, and the node has no internal error and little growth. */
  afterEach(async () => {
    expect(node().process.exit).toBeUndefined();
    for (let i = 0; i < 5; i++) await publish();
    await eventually(() => expect(bystander.offsets()).toEqual(offsetsUpTo(sent)));
    expect(bystander.closed).toBeUndefined();
    expect(await metric(node().metricsUrl, 'holdfast_errors_total', { code: 'internal' })).toBe(0);
    const growth = (await metric(node().metricsUrl, 'holdfast_memory_bytes', { kind: 'resident' })) - memoryBefore;
    expect(growth).toBeLessThan(200_000_000);
  });

  const node = () => cluster.node(0);
  async function publish(): Promise<void> {
    expect((await post(node().url, token, { channel: 'room:bystander', data: ++sent })).ok).toBe(true);
  }

  test('requests and upgrades that arrive a byte at a time are closed in time, and others are still served', async () => {
    const slow = [
      ...Array.from({ length: 30 }, () =>
        dribble(node().port, 'GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaa', 400),
      ),
      ...Array.from({ length: 30 }, () =>
        dribble(node().port, 'POST /v1/chat.postMessage HTTP/1.1\r\nHost: y\r\nX-S: ', 400),
      ),
      dribble(node().port, request('POST', '/v1/chat.postMessage', { 'Content-Length': '60000' }, '{"channel":"'), 10),
    ];
    const quick = await RawClient.open(node().wsUrl, token);
    await publish();
    quick.close();
    // Limits: 10 s for headers, 15 s for the request, checked every 2 s. The rest is allowance for a slow machine.
    const times = await Promise.all(slow.map(({ ended }) => ended));
    expect(Math.max(...times)).toBeLessThan(30_000);
    expect(Math.min(...times)).toBeGreaterThan(5_000);
  }, 60_000);

  test('sockets that send nothing, or nothing after their upgrade, are closed', async () => {
    const silent = await Promise.all(Array.from({ length: 40 }, () => exchange(node().port, '', 40_000)));
    expect(silent.every(({ closed }) => closed)).toBe(true);
    const upgraded = await exchange(node().port, request('GET', '/ws', UPGRADE), 20_000);
    // The upgrade is answered; without authentication AUTH_TIMEOUT_MS then closes the connection.
    expect(upgraded.text).toContain('101 Switching Protocols');
    expect(upgraded.closed).toBe(true);
  }, 90_000);

  test('no more TCP connections are held than the limits say, and a full node still answers health checks', async () => {
    const held = Array.from({ length: 400 }, () => dribble(node().port, 'G', 60_000));
    await eventually(async () =>
      expect(await metric(node().metricsUrl, 'holdfast_connections_dropped_total')).toBeGreaterThan(100),
    );
    for (const { socket } of held) socket.destroy();
    await Promise.all(held.map(({ ended }) => ended));
    const clients = await Promise.all(
      Array.from({ length: 149 }, async (_, i) => {
        const client = new RawClient(node().wsUrl);
        await eventually(() => expect(client.ws.readyState).toBe(client.ws.OPEN));
        client.send({ type: 'auth', token: await cluster.token({ user: `user-${i}` }) });
        return client;
      }),
    );
    await eventually(async () => expect(await metric(node().metricsUrl, 'holdfast_connections')).toBe(150));
    expect((await fetch(`${node().url}/healthz`)).status).toBe(200);
    expect((await fetch(`${node().url}/readyz`)).status).toBe(503);
    for (const client of clients) client.close();
    await eventually(async () => expect(await metric(node().metricsUrl, 'holdfast_connections')).toBe(1));
  }, 60_000);

  test('a flood of subscribes, unsubscribes and new channels is limited, and others are not disturbed', async () => {
    const attackers = await Promise.all([1, 2, 3].map(() => RawClient.open(node().wsUrl, mallory)));
    for (let i = 0; i < 3_000; i++) {
      for (const attacker of attackers) {
        if (attacker.closed) continue;
        attacker.send({ type: 'subscribe', channel: `flood:${i}` });
        attacker.send({ type: 'unsubscribe', channel: `flood:${i - 1}` });
      }
      if (i % 500 === 0) await publish();
    }
    // A connection that keeps exceeding its rate is closed with 4002.
    for (const attacker of attackers) expect(await attacker.closeCode()).toBe(4002);
    await eventually(async () => expect(await metric(node().metricsUrl, 'holdfast_tails')).toBe(1));
  }, 60_000);

  test('subscriptions beyond the limit, and channel names that are too long or invalid, are refused one by one', async () => {
    const client = await RawClient.open(node().wsUrl, mallory);
    for (let i = 0; i < 60; i++) client.send({ type: 'subscribe', id: String(i), channel: `many:${i}` });
    await client.next('error', (push) => push.id === '59');
    // A refusal needs no read of the history, so it may arrive before the subscriptions that do.
    await eventually(() => expect(client.pushes.filter((push) => push.type === 'subscribed')).toHaveLength(50));
    const strange = [
      'x'.repeat(129),
      'x'.repeat(60_000),
      '',
      'a b',
      'a\r\nb',
      '\u0000',
      'ünï',
      '../../etc',
      'a\u202eb',
      '💥',
    ];
    for (const channel of strange.slice(0, 8)) {
      client.send({ type: 'subscribe', id: 'strange', channel });
    }
    await eventually(() =>
      expect(client.pushes.filter((push) => push.type === 'error').length).toBeGreaterThanOrEqual(17),
    );
    const codes = client.pushes.filter((push) => push.type === 'error').map((push) => push.code);
    expect(new Set(codes)).toEqual(new Set(['limit_reached', 'bad_request']));
    client.close();
  }, 60_000);

  /** Sends sixty commands of random kinds, in 70 % of the cases after authentication. */
  async function sendNonsense(random: () => number): Promise<RawClient> {
    const client = new RawClient(node().wsUrl);
    await eventually(() => expect(client.ws.readyState).toBe(client.ws.OPEN));
    if (random() < 0.7) client.send({ type: 'auth', token: mallory });
    for (let i = 0; i < 60 && !client.closed; i++) {
      const channel = `sequence:${Math.floor(random() * 3)}`;
      const recover = random() < 0.1 ? { epoch: 'e', offset: 3 } : undefined;
      client.send({
        type: pick(random, KINDS),
        id: pick(random, ['same', `${i}`]),
        channel,
        data: i,
        token: mallory,
        recover,
      });
    }
    return client;
  }

  test('commands in any order cause neither internal errors nor duplicate messages', async () => {
    const random = randomOf(7);
    for (let round = 0; round < 12; round++) {
      const client = await sendNonsense(random);
      await eventually(() => expect(client.closed !== undefined || client.pushes.length > 10).toBe(true));
      for (const channel of ['sequence:0', 'sequence:1', 'sequence:2']) {
        const offsets = client.offsets(channel);
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
      }
      expect(client.pushes.filter((push) => push.type === 'error' && push.code === 'internal')).toEqual([]);
      client.close();
    }
  }, 60_000);

  test('a compressed body is refused and not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(65_536);
    const response = await fetch(`${node().url}/v1/chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: bomb,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ ok: false, error: { code: 'bad_request' } });
  });

  test.each([
    ['a query', request('GET', '/ws?ticket=x%0d%0aX-Injected:%20yes', UPGRADE)],
    ['a path', request('GET', '/%0d%0aX-Injected:%20yes', {})],
    ['an origin', request('GET', '/ws', { ...UPGRADE, Origin: 'https://evil.example\tX-Injected: yes' })],
    ['a sub-protocol', request('GET', '/ws', { ...UPGRADE, 'Sec-WebSocket-Protocol': 'holdfast.v1, X-Injected: yes' })],
    ['a host', request('GET', '/nowhere', { Host: 'evil.example%0d%0aX-Injected: yes' })],
    ['a bare line feed', 'GET /healthz HTTP/1.1\nHost: x\n\nX-Injected: yes\r\n\r\n'],
    ['a carriage return', request('GET', '/healthz', { 'X-Forwarded-For': 'a\rX-Injected: yes' })],
    ['a null byte', request('GET', '/healthz', { 'X-Forwarded-For': 'a\0X-Injected: yes' })],
    ['a folded header', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Folded: a\r\n X-Injected: yes\r\n\r\n'],
    [
      'two lengths',
      request('POST', '/v1/chat.postMessage', { 'Content-Length': '5', 'content-length': '60' }, 'X-Injected: yes'),
    ],
    [
      'length and chunks',
      request(
        'POST',
        '/v1/chat.postMessage',
        { 'Content-Length': '5', 'Transfer-Encoding': 'chunked' },
        '0\r\n\r\nX-Injected: yes\r\n',
      ),
    ],
  ])('%s with control characters splits no header and no line of the log', async (_what, bytes) => {
    const { text } = await exchange(node().port, bytes);
    const [head = ''] = text.split('\r\n\r\n');
    expect(head.split('\r\n').filter((line) => line.toLowerCase().startsWith('x-injected'))).toEqual([]);
    const lines = node().process.output().trim().split('\n').filter(Boolean);
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  test.each([
    ['a request that is not HTTP', 'hello there\r\n\r\n', 400, 'bad_request'],
    ['headers over the limit', request('GET', '/healthz', { 'X-Long': 'x'.repeat(20_000) }), 431, 'too_large'],
    [
      'an upgrade to HTTP/2',
      request('GET', '/healthz', { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c' }),
      400,
      'bad_request',
    ],
    ['an unknown version of HTTP', 'GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'bad_request'],
    ['an unknown method', 'FETCH /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'bad_request'],
  ])('%s is refused in the error format of the API', async (_what, bytes, status, code) => {
    const { text, closed } = await exchange(node().port, bytes, 5_000);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as unknown;
    expect(body).toMatchObject({ ok: false, error: { code, message: expect.any(String) } });
    expect(closed).toBe(true);
  });

  test('random bytes on a socket end only their own connection', async () => {
    const random = randomOf(11);
    for (let round = 0; round < 30; round++) {
      const bytes = Array.from({ length: 1 + Math.floor(random() * 500) }, () =>
        String.fromCharCode(random() * 256),
      ).join('');
      await exchange(node().port, random() < 0.5 ? bytes : request('GET', '/ws', UPGRADE) + bytes, 100);
    }
    await sleep(100);
  }, 30_000);
});
