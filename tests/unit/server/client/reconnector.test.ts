/** The connections of a client to a small server on loopback: authentication, retries, close codes, heartbeat. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { HoldfastError } from '../../../../server/client/node.ts';
import { CHANNEL, LoopbackClients } from './loopback-clients.ts';
import { LoopbackServer, until } from './loopback-server.ts';

let server: LoopbackServer;
let clients: LoopbackClients;

beforeEach(async () => {
  server = await new LoopbackServer().start();
  clients = new LoopbackClients(server);
});
afterEach(async () => {
  clients.close();
  await server.stop();
});

describe('connecting', () => {
  test('exchanges the token for a ticket and opens the connection with it', async () => {
    const { client, states } = clients.make({ affinity: 'left' });
    const welcome = await client.connect();
    expect(welcome).toMatchObject({ user: 'ada', node_id: 'loopback' });
    expect(server.tickets[0]?.authorization).toBe('Bearer jwt');
    expect(server.peer.url.search).toBe('?ticket=t1&affinity=left');
    expect(server.peer.socket.protocol).toBe('holdfast.v1');
    expect(states).toEqual(['connecting', 'connected']);
  });

  test('with auth: message, sends the token as the first frame', async () => {
    const { client } = clients.make({ auth: 'message' });
    await client.connect();
    expect(server.tickets).toHaveLength(0);
    expect(server.peer.received[0]).toEqual({ type: 'auth', token: 'jwt' });
  });

  test('requests a fresh token once after a refusal', async () => {
    server.onTicket = (request) =>
      request.headers.authorization === 'Bearer good'
        ? undefined
        : { status: 401, body: { ok: false, error: { code: 'unauthenticated', message: 'Expired.' } } };
    const tokens = ['old', 'good'];
    const { client, errors } = clients.make({ token: () => Promise.resolve(tokens.shift() ?? 'none') });
    await client.connect();
    expect(server.tickets.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer good']);
    expect(errors).toHaveLength(0);
  });

  test('stops when the fresh token is refused too, or when the token is a string', async () => {
    server.onTicket = () => ({ status: 401, body: { ok: false, error: { code: 'unauthenticated', message: 'No.' } } });
    let calls = 0;
    for (const token of [() => `t${++calls}`, 'fixed']) {
      const { client } = clients.make({ token });
      await expect(client.connect()).rejects.toMatchObject({ code: 'unauthenticated', temporary: false });
      expect(client.state).toBe('closed');
    }
    expect(calls).toBe(2);
    expect(server.tickets).toHaveLength(3);
  });

  test('retries after overload, errors of proxies and a failing token function', async () => {
    const answers = [
      { status: 503, body: { ok: false, error: { code: 'overloaded', message: 'Full.', retry_after_ms: 60 } } },
      { status: 502, body: '<html>Bad gateway</html>' },
      { status: 429, body: {}, headers: { 'retry-after': '0' } },
    ];
    server.onTicket = () => answers.shift();
    let failures = 1;
    const token = () => {
      if (failures-- > 0) throw new Error('The login service is away.');
      return 'jwt';
    };
    const { client, states, errors } = clients.make({ token });
    await client.connect();
    expect(errors.map(({ code }) => code)).toEqual(['token_failed', 'overloaded', 'unavailable', 'unavailable']);
    expect(states.filter((state) => state === 'waiting')).toHaveLength(4);
    const [first = { at: 0 }, second = { at: 0 }] = server.tickets;
    expect(second.at - first.at).toBeGreaterThanOrEqual(55);
  });

  test('retries while the server is unreachable', async () => {
    await server.stop();
    const { client, errors } = clients.make();
    client.connect().catch(() => {});
    await until(() => errors.length >= 2, 'two failed tries');
    expect(errors[0]).toMatchObject({ code: 'network', temporary: true });
  });

  test('reconnects when no welcome arrives within connectTimeoutMs', async () => {
    server.onConnection = () => server.peers.length === 1;
    const { client } = clients.make({ connectTimeoutMs: 80 });
    await client.connect();
    expect(server.peers).toHaveLength(2);
  });

  test('stops with refused when the address is wrong', async () => {
    server.onTicket = () => ({ status: 404, body: 'Not here' });
    const { client } = clients.make();
    await expect(client.connect()).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('close codes', () => {
  test.each([1001, 1006, 1011, 1012, 1013, 4000, 4001, 4002, 4003, 4499])('%i: reconnects', async (code) => {
    const { client, errors } = clients.make({ token: () => 'jwt' });
    await client.connect();
    if (code === 1006) server.peer.socket.terminate();
    else server.peer.socket.close(code);
    await until(() => server.peers.length === 2 && client.state === 'connected', 'the second connection');
    expect(errors[0]).toMatchObject({ code: 'connection_lost', closeCode: code });
  });

  test.each([1000, 1002, 1003, 1007, 1009, 4500, 4501, 4999])(
    '%i: stops with refused and the close code',
    async (code) => {
      const { client } = clients.make();
      await client.connect();
      const closed = new Promise<{ error?: HoldfastError }>((resolve) => client.on('closed', resolve));
      const publish = client.publish('elsewhere', 1);
      server.intercept = () => true;
      server.peer.socket.close(code, 'because');
      expect((await closed).error).toMatchObject({ code: 'refused', closeCode: code });
      await publish.catch(() => {});
      expect(client.state).toBe('closed');
      await expect(client.publish(CHANNEL, 2)).rejects.toMatchObject({ code: 'closed' });
    },
  );

  test('1008: one more attempt with a fresh token, then stops', async () => {
    server.onConnection = (peer) => {
      peer.socket.close(1008, 'Wrong token.');
      return true;
    };
    let calls = 0;
    const { client } = clients.make({ auth: 'message', token: () => `t${++calls}` });
    await expect(client.connect()).rejects.toMatchObject({ code: 'unauthenticated', closeCode: 1008 });
    expect(calls).toBe(2);
    expect(server.peers).toHaveLength(2);
  });

  test('4001: the next connection uses a new token', async () => {
    let calls = 0;
    const { client } = clients.make({ token: () => `t${++calls}` });
    await client.connect();
    server.peer.socket.close(4001);
    await until(() => server.peers.length === 2, 'the second connection');
    expect(server.tickets.map(({ authorization }) => authorization)).toEqual(['Bearer t1', 'Bearer t2']);
  });
});

describe('heartbeat', () => {
  test('answers ping with pong', async () => {
    const { client } = clients.make();
    await client.connect();
    server.peer.send({ type: 'ping' });
    await until(() => server.peer.received.some(({ type }) => type === 'pong'), 'the pong');
  });

  test('replaces a silent connection and keeps one with traffic', async () => {
    server.heartbeat = { intervalMs: 60, timeoutMs: 40 };
    const { client } = clients.make();
    await client.connect();
    const pings = setInterval(() => server.peers[0]?.send({ type: 'ping' }), 40);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(server.peers).toHaveLength(1);
    clearInterval(pings);
    await until(() => server.peers.length === 2, 'the second connection', 1_000);
  });
});
