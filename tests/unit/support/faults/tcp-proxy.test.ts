/** The fault harness does what its names say: otherwise the tests that use it would prove nothing. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { TcpProxy } from '../../../support/faults/tcp-proxy.ts';
import { eventually, sleep } from '../../../support/wait.ts';

let server: Server;
let proxy: TcpProxy;
let sockets: Socket[];

/** Echoes, in capitals. */
function startServer(change: (text: string) => string = (text) => text.toUpperCase()): Promise<Server> {
  const echo = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => socket.write(change(String(bytes))));
  });
  return new Promise((resolve) => echo.listen(0, '127.0.0.1', () => resolve(echo)));
}

beforeEach(async () => {
  sockets = [];
  server = await startServer();
  proxy = await TcpProxy.start((server.address() as AddressInfo).port);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await proxy.stop();
  server.close();
});

class Peer {
  readonly socket: Socket;
  got = '';
  error: string | undefined;

  constructor() {
    this.socket = connect({ port: proxy.port, host: '127.0.0.1' });
    this.socket.on('data', (bytes) => {
      this.got += String(bytes);
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    sockets.push(this.socket);
  }

  async expect(text: string): Promise<void> {
    await eventually(() => expect(this.got).toBe(text));
  }
}

test('without a fault everything passes, also the end of a connection', async () => {
  const peer = new Peer();
  peer.socket.write('hello');
  await peer.expect('HELLO');
  expect(proxy.connections).toHaveLength(1);
  peer.socket.end();
  await once(peer.socket, 'close');
  await eventually(() => expect(proxy.connections).toHaveLength(0));
});

test('cut resets those that match and leaves the others', async () => {
  const [first, second] = [new Peer(), new Peer()];
  first.socket.write('i am first');
  second.socket.write('i am second');
  await second.expect('I AM SECOND');
  await first.expect('I AM FIRST');
  proxy.cut((connection) => connection.said('first'));
  await eventually(() => expect(first.error).toBe('ECONNRESET'));
  second.socket.write('!');
  await second.expect('I AM SECOND!');
});

test.each([
  ['both' as const, ''],
  ['up' as const, ''],
  ['down' as const, ''],
])(
  'a blackhole (%s) swallows bytes, keeps the connection, and gives them back on return',
  async (direction, during) => {
    const peer = new Peer();
    peer.socket.write('a');
    await peer.expect('A');
    proxy.blackhole(direction);
    peer.socket.write('b');
    await sleep(150);
    expect(peer.got).toBe(`A${during}`);
    expect(peer.socket.readyState).toBe('open');
    proxy.heal();
    await peer.expect('AB');
  },
);

test('a delay holds each byte that long, in order', async () => {
  const peer = new Peer();
  proxy.delay(200);
  const begin = performance.now();
  for (const letter of 'abc') peer.socket.write(letter);
  await peer.expect('ABC');
  expect(performance.now() - begin).toBeGreaterThanOrEqual(395);
});

test('a limit lets through so many bytes per second, and slows the sender down', async () => {
  const peer = new Peer();
  peer.socket.write('a');
  await peer.expect('A');
  proxy.limit(20_000);
  const begin = performance.now();
  peer.socket.write('x'.repeat(40_000));
  await eventually(() => expect(peer.got).toHaveLength(40_001));
  const seconds = (performance.now() - begin) / 1000;
  // A second's worth may have been saved up.
  expect(seconds).toBeGreaterThan(0.9);
});

test('refuse cuts and resets newcomers; heal lets them in; retarget sends them elsewhere', async () => {
  const before = new Peer();
  before.socket.write('a');
  await before.expect('A');
  proxy.refuse();
  const during = new Peer();
  await eventually(() => expect([before.error, during.error]).toEqual(['ECONNRESET', 'ECONNRESET']));
  proxy.heal();
  const other = await startServer((text) => `other ${text}`);
  proxy.retarget((other.address() as AddressInfo).port);
  const after = new Peer();
  after.socket.write('x');
  await after.expect('other x');
  other.close();
});
