/** The workarounds against the installed ioredis, with replies that a Redis Cluster sends while slots move. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { droppedChannel, isOutOfStep, UnansweredSubscribes } from '../../../../server/backplane/ioredis-workarounds.ts';

/** What the server sends on each command that it receives. */
let replies: string[];
let server: Server;
let redis: Redis;

beforeEach(async () => {
  replies = [];
  server = createServer((socket) => {
    socket.on('data', () => socket.write(replies.shift() ?? ''));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  redis = new Redis({
    port,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    autoResubscribe: false,
  });
  await redis.connect();
});

afterEach(() => {
  redis.disconnect();
  server.close();
});

const reply = (kind: 'ssubscribe' | 'sunsubscribe', name: string, count: number) =>
  `*3\r\n$${kind.length}\r\n${kind}\r\n$${Buffer.byteLength(name)}\r\n${name}\r\n:${count}\r\n`;

/** The first report: ioredis emits some of them twice. */
function nextError(): Promise<Error> {
  return new Promise((resolve) => redis.on('error', resolve));
}

test('the report that the server dropped a channel names the channel, whatever its name contains', async () => {
  const name = 'holdfast:channel:a,1.\nb';
  replies = [reply('ssubscribe', name, 1) + reply('sunsubscribe', name, 0)];
  const reported = nextError();
  await redis.ssubscribe(name);
  const error = await reported;
  expect([droppedChannel(error), isOutOfStep(error)]).toEqual([name, true]);
});

test('a report that takes the place of an answer leaves that answer without a command, and its channel unnamed', async () => {
  replies = [reply('ssubscribe', 'a', 1), reply('sunsubscribe', 'a', 0) + reply('ssubscribe', 'b', 1)];
  await redis.ssubscribe('a');
  const reported = nextError();
  // Settles, although the server has not answered it yet.
  await redis.ssubscribe('b');
  const error = await reported;
  expect([droppedChannel(error), isOutOfStep(error)]).toEqual([undefined, true]);
});

test('MOVED without a command is out of step too', async () => {
  replies = [`${reply('ssubscribe', 'a', 1)}-MOVED 1 127.0.0.1:1\r\n`];
  const reported = nextError();
  await redis.ssubscribe('a');
  const error = await reported;
  expect([droppedChannel(error), isOutOfStep(error)]).toEqual([undefined, true]);
});

test('SUBSCRIBE commands that are answered with MOVED are rejected, and not those that were answered before', async () => {
  const subscribes = new UnansweredSubscribes(redis);
  replies = [reply('ssubscribe', 'a', 1), '-MOVED 1 127.0.0.1:1\r\n'];
  await expect(subscribes.track(redis.ssubscribe('a'))).resolves.toBeUndefined();
  await expect(subscribes.track(redis.ssubscribe('b'))).rejects.toThrow(/^MOVED$/);
});

test('other failures of a SUBSCRIBE are passed on', async () => {
  const subscribes = new UnansweredSubscribes(redis);
  await expect(subscribes.track(Promise.reject(new Error('Command timed out')))).rejects.toThrow('Command timed out');
});

test('other errors of a connection are neither', () => {
  for (const message of ['read ECONNRESET', 'MOVED 1 127.0.0.1:1', 'Connection is closed.']) {
    const error = new Error(message);
    expect([droppedChannel(error), isOutOfStep(error)]).toEqual([undefined, false]);
  }
});
