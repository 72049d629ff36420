/** Every invalid or excessive input gets the right error or close code, and the node continues to serve other clients. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { CLOSE_CODES } from '../../../server/protocol/codes.ts';
import { COMMANDS } from '../../../server/protocol/schemas.ts';
import { metric, post } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { clientFrame, closeCodeFor, rawSocket, rawStatus, requestUpgrade } from '../../support/raw-upgrade.ts';
import { eventually, sleep } from '../../support/wait.ts';

const LIMITS = {
  MAX_PAYLOAD_BYTES: '65536',
  MAX_SUBSCRIPTIONS: '3',
  MAX_CONNECTIONS_PER_USER: '5',
  COMMAND_RATE: '50',
  PUBLISH_RATE_PER_USER: '20',
  ALLOWED_ORIGINS: 'https://app.example',
  LOG_LEVEL: 'error',
};

describe('limits', () => {
  let cluster: Cluster;
  let users = 0;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 1, redis: false, env: LIMITS });
  });
  afterAll(() => cluster?.stop());
  afterEach(async () => {
    expect(node().process.exit).toBeUndefined();
    const client = await open();
    client.send({ type: 'publish', id: 'after', channel: 'room:after', data: 1 });
    await client.next('ack');
    client.close();
    expect(await metric(node().metricsUrl, 'holdfast_errors_total', { code: 'internal' })).toBe(0);
  });

  const node = () => cluster.node(0);
  const newToken = () => cluster.token({ user: `user-${++users}` });
  const open = async () => RawClient.open(node().wsUrl, await newToken());
  const upgrade = (path: string, headers?: Record<string, string>) => requestUpgrade(`${node().url}${path}`, headers);

  test('frames that break RFC 6455, UTF-8 or the text-only rule close the connection with their code', async () => {
    expect(await closeCodeFor(node().port, clientFrame(0x81, '{}', 0))).toBe(1002);
    expect(await closeCodeFor(node().port, clientFrame(0xc1, '{}'))).toBe(1002);
    expect(await closeCodeFor(node().port, clientFrame(0x83, '{}'))).toBe(1002);
    expect(await closeCodeFor(node().port, clientFrame(0x80, '{}'))).toBe(1002);
    expect(await closeCodeFor(node().port, clientFrame(0x81, Buffer.from([0xc3, 0x28])))).toBe(1007);
    expect(await closeCodeFor(node().port, clientFrame(0x82, '{}'))).toBe(1003);
  });

  test('a message over the payload limit is closed with 1009, also when it comes in fragments', async () => {
    const whole = await open();
    whole.send({ type: 'publish', id: '1', channel: 'room:big', data: 'x'.repeat(70_000) });
    expect(await whole.closeCode()).toBe(1009);
    const parts = await open();
    for (let i = 0; i < 10; i++) parts.ws.send('x'.repeat(10_000), { fin: false });
    expect(await parts.closeCode()).toBe(1009);
    const counted = () => metric(node().metricsUrl, 'holdfast_closes_total', { code: '1009' });
    await eventually(async () => expect(await counted()).toBe(2));
    // Only the frame header announces the size: 2^63 and 2^32 bytes.
    for (const length of ['8000000000000000', '0000000100000000'])
      expect(await closeCodeFor(node().port, Buffer.from(`81ff${length}00000000`, 'hex'))).toBe(1009);
    await eventually(async () => expect(await counted()).toBe(4));
  });

  test('a command in fragments is a command', async () => {
    const client = await open();
    client.ws.send('{"type":"publish","id":"f",', { fin: false });
    client.ws.send('"channel":"room:fragments",', { fin: false });
    client.ws.send('"data":1}', { fin: true });
    await client.next('ack', (ack) => ack.id === 'f');
    client.close();
  });

  test('an invalid command is answered with an error; the tenth closes the connection with 4500', async () => {
    const client = await open();
    const bad = [
      '',
      'no json',
      '[]',
      'null',
      '{"type":1}',
      '{"type":"__proto__"}',
      '{"type":"publish","id":"x","channel":"a b","data":1}',
    ];
    for (const text of bad) client.send(text);
    client.send({ type: 'publish', id: 'extra', channel: 'room:1', data: 1, client_msg_ID: 'typo' });
    const error = await client.next('error', (push) => push.id === 'extra');
    expect(error).toMatchObject({ code: 'bad_request', message: expect.stringContaining('client_msg_ID') });
    expect(client.pushes.filter((push) => push.type === 'error').map((push) => push.code)).toEqual(
      Array(8).fill('bad_request'),
    );
    client.send('again');
    client.send('and again');
    expect(await client.closeCode()).toBe(4500);
  });

  test('data that is nested 30,000 deep is answered, and the node stays alive', async () => {
    const client = await open();
    client.send(
      `{"type":"publish","id":"deep","channel":"room:deep","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
    );
    await eventually(() =>
      expect(client.pushes.some((push) => (push.type === 'error' || push.type === 'ack') && push.id === 'deep')).toBe(
        true,
      ),
    );
    client.close();
  });

  test('a connection over its command rate gets retry_after_ms, and is served again after that time', async () => {
    const client = await open();
    for (let i = 0; i < 150; i++) client.send({ type: 'ping' });
    const error = await client.next('error', (push) => push.code === 'rate_limited');
    expect(error.retry_after_ms).toBeGreaterThan(0);
    await eventually(
      () => {
        client.send({ type: 'publish', id: `r${client.pushes.length}`, channel: 'room:rate', data: 1 });
        expect(client.pushes.some((push) => push.type === 'ack')).toBe(true);
      },
      { intervalMs: 100 },
    );
    client.close();
  });

  test('a connection that keeps sending over its rate is closed with 4002', async () => {
    const client = await open();
    for (let i = 0; i < 1_500; i++) client.send({ type: 'ping' });
    expect(await client.closeCode()).toBe(4002);
  });

  test('a user over its publish rate gets 429 with Retry-After over HTTP; others do not', async () => {
    const token = await newToken();
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => post(node().url, token, { channel: 'room:rate', text: 'x' })),
    );
    const limited = answers.filter((answer) => answer.status === 429);
    expect(limited.length).toBeGreaterThan(10);
    expect(limited[0]).toMatchObject({ retryAfter: '1', error: { code: 'rate_limited' } });
    expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThanOrEqual(40);
    expect((await post(node().url, await newToken(), { channel: 'room:rate', text: 'x' })).status).toBe(200);
  });

  test('subscriptions per connection, and connections per user, are limited', async () => {
    const token = await newToken();
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(node().wsUrl, token)));
    const [client] = clients as [RawClient];
    for (const channel of ['room:1', 'room:2', 'room:3']) await client.subscribe(channel);
    client.send({ type: 'subscribe', id: '4', channel: 'room:4' });
    await client.next('error', (error) => error.id === '4' && error.code === 'limit_reached');
    client.send({ type: 'subscribe', id: '1', channel: 'room:1' });
    await client.next('error', (error) => error.id === '1' && error.code === 'already_subscribed');
    const sixth = new RawClient(node().wsUrl);
    await eventually(() => expect(sixth.ws.readyState).toBe(sixth.ws.OPEN));
    sixth.send({ type: 'auth', token });
    expect(await sixth.closeCode()).toBe(4501);
    for (const open of clients) open.close();
    await eventually(async () => (await RawClient.open(node().wsUrl, token)).close());
  });

  test('a publish sent right behind a subscribe reaches that subscription, and publishes keep their order', async () => {
    for (let round = 0; round < 10; round++) {
      const client = await open();
      const channel = `room:behind-${round}`;
      client.send({ type: 'subscribe', channel });
      for (let i = 1; i <= 5; i++) client.send({ type: 'publish', id: String(i), channel, data: i });
      await client.next('message', (message) => message.offset === 5);
      expect(client.messages().map((message) => message.data)).toEqual([1, 2, 3, 4, 5]);
      client.close();
    }
  });

  test('commands of one channel may be sent without waiting for the answers', async () => {
    const client = await open();
    for (const type of ['subscribe', 'unsubscribe', 'subscribe', 'unsubscribe', 'subscribe', 'presence']) {
      client.send({ type, id: `${client.ws.bufferedAmount}`, channel: 'room:pipelined' });
    }
    await client.next('presence');
    const types = client.pushes.map((push) => push.type).filter((type) => type !== 'welcome' && type !== 'ping');
    expect(types.slice(0, 6)).toEqual([
      'subscribed',
      'unsubscribed',
      'subscribed',
      'unsubscribed',
      'subscribed',
      'presence',
    ]);
    client.close();
  });

  test('upgrades with a foreign origin, other sub-protocols or another path get an HTTP error', async () => {
    const status = async (path: string, headers?: Record<string, string>) => (await upgrade(path, headers)).statusCode;
    expect(await status('/ws')).toBe(101);
    expect(await status('/ws', { origin: 'https://evil.example' })).toBe(403);
    expect(await status('/ws', { origin: 'null' })).toBe(403);
    expect(await status('/ws', { origin: 'https://app.example' })).toBe(101);
    expect(await status('/ws', { origin: node().url })).toBe(101);
    expect(await status('/ws', { 'sec-websocket-protocol': 'graphql-ws' })).toBe(400);
    expect(await status('/ws', { 'sec-websocket-protocol': 'other, holdfast.v1' })).toBe(101);
    expect(await status('/other')).toBe(404);
    expect(await status('/ws/')).toBe(404);
    expect(await status('/')).toBe(404);
    expect(await status('/ws', { 'sec-websocket-version': '7' })).toBe(400);
  });

  test('an upgrade request whose target is not a URL gets an HTTP error', async () => {
    expect(await rawStatus(node().port, '/ws')).toBe(101);
    for (const target of ['//', '///', '//:', 'http://[', 'http://', '//a b', '/\\\\ws', '*', '//evil.example/other'])
      expect([target, [400, 404]]).toEqual([target, expect.arrayContaining([await rawStatus(node().port, target)])]);
  });

  test('random bytes in place of frames end only their own connection', async () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    const nearFrame = fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0x80, max: 0xff }), bytes)
      .map(([first, length, rest]) => Uint8Array.of(first, length, ...rest));
    const seed = Date.now();
    const samples = fc.sample(fc.oneof(bytes, nearFrame), { seed, numRuns: 200 });
    for (let at = 0; at < samples.length; at += 50) {
      await Promise.all(
        samples.slice(at, at + 50).map(async (sample) => {
          const socket = await rawSocket(node().port);
          socket.on('error', () => {});
          socket.write(sample);
          await sleep(50);
          socket.destroy();
        }),
      );
      expect([seed, node().process.exit]).toEqual([seed, undefined]);
    }
  });

  test('random JSON in place of commands gets only errors and close codes of the lists', async () => {
    const field = fc.oneof(fc.jsonValue(), fc.constantFrom('room:fuzz', 'x', 1, '', '__proto__'));
    const names = fc.constantFrom('id', 'channel', 'data', 'recover', 'token', 'client_msg_id', '__proto__', 'other');
    const command = fc
      .tuple(fc.constantFrom(...Object.keys(COMMANDS), 'nothing'), fc.array(fc.tuple(names, field), { maxLength: 6 }))
      .map(([type, fields]) => `{"type":"${type}"${fields.map(([k, v]) => `,"${k}":${JSON.stringify(v)}`).join('')}}`);
    const seed = Date.now();
    const samples = fc.sample(fc.oneof(command, fc.json(), fc.string()), { seed, numRuns: 600 });
    const listed = Object.values(CLOSE_CODES).map((info) => info.code as number);
    for (let at = 0; at < samples.length; at += 30) {
      const client = await open();
      for (const sample of samples.slice(at, at + 30)) client.send(sample);
      client.send({ type: 'ping' });
      await eventually(() => {
        if (!client.closed) expect(client.pushes.some((push) => push.type === 'pong')).toBe(true);
      });
      const codes = client.pushes.map((push) => (push.type === 'error' ? push.code : undefined));
      expect([seed, codes]).not.toEqual([seed, expect.arrayContaining(['internal'])]);
      if (client.closed) expect([seed, listed]).toEqual([seed, expect.arrayContaining([client.closed.code])]);
      client.close();
    }
  });

  test('a body over the limit gets 413; a node that is full or over its accept rate answers 503 with Retry-After', async () => {
    const token = await newToken();
    expect(await post(node().url, token, { channel: 'room:1', text: 'x'.repeat(70_000) })).toMatchObject({
      status: 413,
      error: { code: 'too_large' },
    });
    await node().restart({ MAX_CONNECTIONS: '2', ACCEPT_RATE: '3' });
    const clients = [await open(), await open()];
    const full = await upgrade('/ws');
    expect([full.statusCode, full.headers['retry-after']]).toEqual([503, '5']);
    const ready = await fetch(`${node().url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ready: false, full: true, draining: false, connections: 2 });
    expect((await fetch(`${node().url}/healthz`)).status).toBe(200);
    for (const client of clients) {
      expect(client.closed).toBeUndefined();
      client.close();
    }
    await eventually(async () => expect((await fetch(`${node().url}/readyz`)).status).toBe(200));
    await node().restart({ MAX_CONNECTIONS: '100' });
    const herd = await Promise.all(Array.from({ length: 10 }, () => upgrade('/ws')));
    const paced = herd.filter((response) => response.statusCode === 503);
    expect(paced.length).toBeGreaterThanOrEqual(5);
    expect(Number(paced[0]?.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(herd.some((response) => response.statusCode === 101)).toBe(true);
    await eventually(async () => expect((await upgrade('/ws')).statusCode).toBe(101), { intervalMs: 300 });
    await node().restart({ ACCEPT_RATE: '1000' });
  });
});
