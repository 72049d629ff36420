/** The connections of a client to a small server on loopback: authentication, retries, close codes, heartbeat. */
import { describe, expect, test } from '@jest/globals';
import type { HoldfastError } from '../../../../server/client/node.ts';
import { CHANNEL, useLoopback } from './loopback-clients.ts';
import { until } from './loopback-server.ts';

const loopback = useLoopback();

describe('connecting', () => {
  test('exchanges the token for a ticket and opens the connection with it', async () => {
    const { client, states } = loopback.clients.make({ affinity: 'left' });
    const welcome = await client.connect();
    expect(welcome).toMatchObject({ user: 'ada', node_id: 'loopback' });
    expect(loopback.server.tickets[0]?.authorization).toBe('Bearer jwt');
    expect(loopback.server.peer.url.search).toBe('?ticket=t1&affinity=left');
    expect(loopback.server.peer.socket.protocol).toBe('holdfast.v1');
    expect(states).toEqual(['connecting', 'connected']);
  });

  test('with auth: message, sends the token as the first frame', async () => {
    const { client } = loopback.clients.make({ auth: 'message' });
    await client.connect();
    expect(loopback.server.tickets).toHaveLength(0);
    expect(loopback.server.peer.received[0]).toEqual({ type: 'auth', token: 'jwt' });
  });

  test('requests a fresh token once after a refusal', async () => {
    loopback.server.onTicket = (request) =>
      request.headers.authorization === 'Bearer good'
        ? undefined
        : { status: 401, body: { ok: false, error: { code: 'unauthenticated', message: 'Expired.' } } };
    const tokens = ['old', 'good'];
    const { client, errors } = loopback.clients.make({ token: () => Promise.resolve(tokens.shift() ?? 'none') });
    await client.connect();
    expect(loopback.server.tickets.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer good']);
    expect(errors).toHaveLength(0);
  });

  test('stops when the fresh token is refused too, or when the token is a string', async () => {
    loopback.server.onTicket = () => ({
      status: 401,
      body: { ok: false, error: { code: 'unauthenticated', message: 'No.' } },
    });
    let calls = 0;
    for (const token of [() => `t${++calls}`, 'fixed']) {
      const { client } = loopback.clients.make({ token });
      await expect(client.connect()).rejects.toMatchObject({ code: 'unauthenticated', temporary: false });
      expect(client.state).toBe('closed');
    }
    expect(calls).toBe(2);
    expect(loopback.server.tickets).toHaveLength(3);
  });

  test('retries after overload, errors of proxies and a failing token function', async () => {
    const answers = [
      { status: 503, body: { ok: false, error: { code: 'overloaded', message: 'Full.', retry_after_ms: 60 } } },
      { status: 502, body: '<html>Bad gateway</html>' },
      { status: 429, body: {}, headers: { 'retry-after': '0' } },
    ];
    loopback.server.onTicket = () => answers.shift();
    let failures = 1;
    const token = () => {
      if (failures-- > 0) throw new Error('The login service is away.');
      return 'jwt';
    };
    const { client, states, errors } = loopback.clients.make({ token });
    await client.connect();
    expect(errors.map(({ code }) => code)).toEqual(['token_failed', 'overloaded', 'unavailable', 'unavailable']);
    expect(states.filter((state) => state === 'waiting')).toHaveLength(4);
    const [first = { at: 0 }, second = { at: 0 }] = loopback.server.tickets;
    expect(second.at - first.at).toBeGreaterThanOrEqual(55);
  });

  test('retries while the server is unreachable', async () => {
    await loopback.server.stop();
    const { client, errors } = loopback.clients.make();
    client.connect().catch(() => {});
    await until(() => errors.length >= 2, 'two failed tries');
    expect(errors[0]).toMatchObject({ code: 'network', temporary: true });
  });

  test('reconnects when no welcome arrives within connectTimeoutMs', async () => {
    loopback.server.onConnection = () => loopback.server.peers.length === 1;
    const { client } = loopback.clients.make({ connectTimeoutMs: 80 });
    await client.connect();
    expect(loopback.server.peers).toHaveLength(2);
  });

  test('stops with refused when the address is wrong', async () => {
    loopback.server.onTicket = () => ({ status: 404, body: 'Not here' });
    const { client } = loopback.clients.make();
    await expect(client.connect()).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('close codes', () => {
  test.each([1001, 1006, 1011, 1012, 1013, 4000, 4001, 4002, 4003, 4499])('%i: reconnects', async (code) => {
    const { client, errors } = loopback.clients.make({ token: () => 'jwt' });
    await client.connect();
    if (code === 1006) loopback.server.peer.socket.terminate();
    else loopback.server.peer.socket.close(code);
    await until(() => loopback.server.peers.length === 2 && client.state === 'connected', 'the second connection');
    expect(errors[0]).toMatchObject({ code: 'connection_lost', closeCode: code });
  });

  test.each([1000, 1002, 1003, 1007, 1009, 4500, 4501, 4999])(
    '%i: stops with refused and the close code',
    async (code) => {
      const { client } = loopback.clients.make();
      await client.connect();
      const closed = new Promise<{ error?: HoldfastError }>((resolve) => client.on('closed', resolve));
      const publish = client.publish('elsewhere', 1);
      loopback.server.intercept = () => true;
      loopback.server.peer.socket.close(code, 'because');
      expect((await closed).error).toMatchObject({ code: 'refused', closeCode: code });
      await publish.catch(() => {});
      expect(client.state).toBe('closed');
      await expect(client.publish(CHANNEL, 2)).rejects.toMatchObject({ code: 'closed' });
    },
  );

  test('1008: one more attempt with a fresh token, then stops', async () => {
    loopback.server.onConnection = (peer) => {
      peer.socket.close(1008, 'Wrong token.');
      return true;
    };
    let calls = 0;
    const { client } = loopback.clients.make({ auth: 'message', token: () => `t${++calls}` });
    await expect(client.connect()).rejects.toMatchObject({ code: 'unauthenticated', closeCode: 1008 });
    expect(calls).toBe(2);
    expect(loopback.server.peers).toHaveLength(2);
  });

  test('4001: the next connection uses a new token', async () => {
    let calls = 0;
    const { client } = loopback.clients.make({ token: () => `t${++calls}` });
    await client.connect();
    loopback.server.peer.socket.close(4001);
    await until(() => loopback.server.peers.length === 2, 'the second connection');
    expect(loopback.server.tickets.map(({ authorization }) => authorization)).toEqual(['Bearer t1', 'Bearer t2']);
  });
});

describe('heartbeat', () => {
  test('answers ping with pong', async () => {
    const { client } = loopback.clients.make();
    await client.connect();
    loopback.server.peer.send({ type: 'ping' });
    await until(() => loopback.server.peer.received.some(({ type }) => type === 'pong'), 'the pong');
  });

  test('replaces a silent connection and keeps one with traffic', async () => {
    loopback.server.heartbeat = { intervalMs: 60, timeoutMs: 40 };
    const { client } = loopback.clients.make();
    await client.connect();
    const pings = setInterval(() => loopback.server.peers[0]?.send({ type: 'ping' }), 40);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(loopback.server.peers).toHaveLength(1);
    clearInterval(pings);
    await until(() => loopback.server.peers.length === 2, 'the second connection', 1_000);
  });
});
