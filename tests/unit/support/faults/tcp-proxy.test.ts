/** The faults of the TCP proxy. Tests that inject them prove nothing unless each does what its name says. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { TcpProxy } from '../../../support/faults/tcp-proxy.ts';
import { eventually, sleep } from '../../../support/wait.ts';

let server: Server;
let proxy: TcpProxy;
let sockets: Socket[];

/** A server that echoes what it receives, in capitals by default. */
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

test('without a fault all bytes pass, and so does the end of a connection', async () => {
  const peer = new Peer();
  peer.socket.write('hello');
  await peer.expect('HELLO');
  expect(proxy.connections).toHaveLength(1);
  peer.socket.end();
  await once(peer.socket, 'close');
  await eventually(() => expect(proxy.connections).toHaveLength(0));
});

test('cut resets the connections that match and no others', async () => {
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
  'a blackhole (%s) holds bytes back, keeps the connection open, and delivers the bytes on heal',
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

test('a delay applies in each direction and keeps the order of bytes', async () => {
  const peer = new Peer();
  proxy.delay(200);
  const begin = performance.now();
  for (const letter of 'abc') peer.socket.write(letter);
  await peer.expect('ABC');
  expect(performance.now() - begin).toBeGreaterThanOrEqual(395);
});

test('a limit lets through that many bytes per second', async () => {
  const peer = new Peer();
  peer.socket.write('a');
  await peer.expect('A');
  proxy.limit(20_000);
  const begin = performance.now();
  peer.socket.write('x'.repeat(40_000));
  await eventually(() => expect(peer.got).toHaveLength(40_001));
  const seconds = (performance.now() - begin) / 1000;
  // The bytes of one second may pass at once.
  expect(seconds).toBeGreaterThan(0.9);
});

test('refuse resets open and new connections, heal admits them again, retarget leads them to another server', async () => {
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
