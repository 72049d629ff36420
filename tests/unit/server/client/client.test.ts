/** The whole client against a small server on loopback: authentication, recovery, close codes, shutdown. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { Client } from '../../../../server/client/client.ts';
import { createClient, HoldfastError } from '../../../../server/client/node.ts';
import type { ClientOptions, HoldfastClient, Loss, SubscriptionHandlers } from '../../../../server/client/types.ts';
import { LoopbackServer, until } from './loopback-server.ts';

const channel = 'room:42';
let server: LoopbackServer;
let clients: HoldfastClient[] = [];

beforeEach(async () => {
  server = await new LoopbackServer().start();
});

afterEach(async () => {
  for (const client of clients) client.close();
  clients = [];
  await server.stop();
});

/** A client with a backoff of 10 to 100 ms, so that tests do not wait for seconds. */
function make(options: Partial<ClientOptions> = {}): {
  client: HoldfastClient;
  states: string[];
  errors: HoldfastError[];
} {
  const client = createClient({
    url: options.url ?? server.url,
    token: 'jwt',
    backoff: { baseMs: 10, maxMs: 100 },
    ...options,
  });
  const states: string[] = [];
  const errors: HoldfastError[] = [];
  client.on('state', (state) => states.push(state));
  client.on('error', (error) => errors.push(error));
  clients.push(client);
  return { client, states, errors };
}

function follow(client: HoldfastClient, more: Partial<SubscriptionHandlers> = {}) {
  const offsets: number[] = [];
  const losses: Loss[] = [];
  const handlers = {
    onMessage: (it: { offset: number }) => offsets.push(it.offset),
    onLost: (it: Loss) => losses.push(it),
  };
  return { offsets, losses, subscription: client.subscribe(channel, { ...handlers, ...more }) };
}

describe('connecting', () => {
  test('exchanges the token for a ticket and opens the connection with it', async () => {
    const { client, states } = make({ affinity: 'left' });
    const welcome = await client.connect();
    expect(welcome).toMatchObject({ user: 'ada', node_id: 'loopback' });
    expect(server.tickets[0]?.authorization).toBe('Bearer jwt');
    expect(server.peer.url.search).toBe('?ticket=t1&affinity=left');
    expect(server.peer.socket.protocol).toBe('holdfast.v1');
    expect(states).toEqual(['connecting', 'connected']);
  });

  test('with auth: message, sends the token as the first frame', async () => {
    const { client } = make({ auth: 'message' });
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
    const { client, errors } = make({ token: () => Promise.resolve(tokens.shift() ?? 'none') });
    await client.connect();
    expect(server.tickets.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer good']);
    expect(errors).toHaveLength(0);
  });

  test('stops when the fresh token is refused too, or when the token is a string', async () => {
    server.onTicket = () => ({ status: 401, body: { ok: false, error: { code: 'unauthenticated', message: 'No.' } } });
    let calls = 0;
    for (const token of [() => `t${++calls}`, 'fixed']) {
      const { client } = make({ token });
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
    const { client, states, errors } = make({ token });
    await client.connect();
    expect(errors.map(({ code }) => code)).toEqual(['token_failed', 'overloaded', 'unavailable', 'unavailable']);
    expect(states.filter((state) => state === 'waiting')).toHaveLength(4);
    const [first = { at: 0 }, second = { at: 0 }] = server.tickets;
    expect(second.at - first.at).toBeGreaterThanOrEqual(55);
  });

  test('retries while the server is unreachable', async () => {
    const { url } = server;
    await server.stop();
    const { client, errors } = make({ url });
    client.connect().catch(() => {});
    await until(() => errors.length >= 2, 'two failed tries');
    expect(errors[0]).toMatchObject({ code: 'network', temporary: true });
    server = await new LoopbackServer().start();
  });

  test('reconnects when no welcome arrives within connectTimeoutMs', async () => {
    server.onConnection = () => server.peers.length === 1;
    const { client } = make({ connectTimeoutMs: 80 });
    await client.connect();
    expect(server.peers).toHaveLength(2);
  });

  test('stops with refused when the address is wrong', async () => {
    server.onTicket = () => ({ status: 404, body: 'Not here' });
    const { client } = make();
    await expect(client.connect()).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('a platform without WebSocket', () => {
  const missing = () => Promise.reject(new HoldfastError('websocket_missing', 'Run: npm install ws'));

  test('rejects connect before it requests a ticket', async () => {
    const client = new Client({ url: server.url, token: 'jwt' }, { loadWebSocket: missing, fetch });
    await expect(client.connect()).rejects.toMatchObject({ code: 'websocket_missing', temporary: false });
    expect(client.state).toBe('closed');
    expect(server.tickets).toHaveLength(0);
  });

  test('uses the option WebSocket', async () => {
    const client = new Client({ url: server.url, token: 'jwt', WebSocket }, { loadWebSocket: missing, fetch });
    clients.push(client);
    expect(await client.connect()).toMatchObject({ user: 'ada' });
  });
});

describe('recovery', () => {
  test('continues from the position after a dropped socket', async () => {
    const { client, states } = make();
    const { offsets, subscription } = follow(client);
    server.append(channel);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.append(channel);
    await until(() => offsets.length === 1, 'the first message');
    server.peer.socket.terminate();
    server.append(channel);
    server.append(channel);
    await until(() => offsets.length === 3, 'the missed messages');
    expect(offsets).toEqual([2, 3, 4]);
    expect(server.peer.received[0]).toMatchObject({ type: 'subscribe', recover: { epoch: 'e1', offset: 2 } });
    expect(subscription.stats).toMatchObject({ delivered: 3, duplicates: 0, recovered: 1, lost: 0 });
    expect(states).toEqual(['connecting', 'connected', 'waiting', 'connecting', 'connected']);
  });

  test('delivers every message once and in order, and stores every publish once, through reconnects under load', async () => {
    const { client } = make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    const publishes: Promise<unknown>[] = [];
    for (let i = 0; i < 500; i++) {
      publishes.push(client.publish(channel, i));
      if (i % 60 === 0) server.peer.socket.terminate();
      if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await Promise.all(publishes);
    await until(() => offsets.length >= 500, 'all messages');
    expect(offsets).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect(server.channel(channel).messages.map(({ data }) => data)).toEqual(
      Array.from({ length: 500 }, (_, index) => index),
    );
    expect(subscription.stats.recovered).toBeGreaterThan(0);
  });

  test('recovers a gap on a live connection: unsubscribe, then subscribe from the position', async () => {
    const { client } = make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.append(channel);
    const { peer } = server;
    peer.channels.delete(channel);
    server.append(channel);
    peer.channels.add(channel);
    server.append(channel);
    await until(() => offsets.length === 3, 'three messages');
    expect(offsets).toEqual([1, 2, 3]);
    expect(subscription.stats.gaps).toBe(1);
    expect(server.peers).toHaveLength(1);
  });

  test('reports lost history and continues at the new position', async () => {
    const { client } = make();
    const { offsets, losses, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.append(channel);
    await until(() => offsets.length === 1, 'the first message');
    server.channels.set(channel, { epoch: 'e2', messages: [], keys: new Map() });
    server.peer.socket.terminate();
    await until(() => losses.length === 1, 'the loss');
    expect(losses[0]).toMatchObject({
      reason: 'epoch_changed',
      from: { epoch: 'e1', offset: 1 },
      to: { epoch: 'e2', offset: 0 },
    });
    server.append(channel);
    await until(() => offsets.length === 2, 'the message of the new epoch');
    expect(offsets).toEqual([1, 1]);
  });

  test('leaves a draining node within after_ms and misses no message', async () => {
    const { client, states, errors } = make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.peer.send({ type: 'reconnect', after_ms: 100, reason: 'draining' });
    server.append(channel);
    await until(() => server.peers.length === 2, 'the second connection', 1_000);
    server.append(channel);
    await until(() => offsets.length === 2, 'both messages');
    expect(states).not.toContain('waiting');
    expect(errors).toHaveLength(0);
  });

  test('subscribes again while the unsubscribe is still pending', async () => {
    const { client } = make();
    const first = follow(client);
    await client.connect();
    await until(() => first.subscription.position, 'subscribed');
    // The server answers the unsubscribe after the second subscribe has arrived.
    server.intercept = (command, peer) => {
      if (command.type !== 'unsubscribe') return false;
      setTimeout(() => {
        peer.channels.delete(channel);
        peer.send({ type: 'unsubscribed', channel, ...(command.id === undefined ? {} : { id: command.id }) });
      }, 10);
      return true;
    };
    first.subscription.unsubscribe();
    const second = follow(client);
    await until(() => second.subscription.position, 'subscribed again');
    server.append(channel);
    await until(() => second.offsets.length === 1, 'the message');
    expect(first.offsets).toHaveLength(0);
  });
});

describe('close codes', () => {
  test.each([1001, 1006, 1011, 1012, 1013, 4000, 4001, 4002, 4003, 4499])('%i: reconnects', async (code) => {
    const { client, errors } = make({ token: () => 'jwt' });
    await client.connect();
    if (code === 1006) server.peer.socket.terminate();
    else server.peer.socket.close(code);
    await until(() => server.peers.length === 2 && client.state === 'connected', 'the second connection');
    expect(errors[0]).toMatchObject({ code: 'connection_lost', closeCode: code });
  });

  test.each([1000, 1002, 1003, 1007, 1009, 4500, 4501, 4999])(
    '%i: stops with refused and the close code',
    async (code) => {
      const { client } = make();
      await client.connect();
      const closed = new Promise<{ error?: HoldfastError }>((resolve) => client.on('closed', resolve));
      const publish = client.publish('elsewhere', 1);
      server.intercept = () => true;
      server.peer.socket.close(code, 'because');
      expect((await closed).error).toMatchObject({ code: 'refused', closeCode: code });
      await publish.catch(() => {});
      expect(client.state).toBe('closed');
      await expect(client.publish(channel, 2)).rejects.toMatchObject({ code: 'closed' });
    },
  );

  test('1008: one more attempt with a fresh token, then stops', async () => {
    server.onConnection = (peer) => {
      peer.socket.close(1008, 'Wrong token.');
      return true;
    };
    let calls = 0;
    const { client } = make({ auth: 'message', token: () => `t${++calls}` });
    await expect(client.connect()).rejects.toMatchObject({ code: 'unauthenticated', closeCode: 1008 });
    expect(calls).toBe(2);
    expect(server.peers).toHaveLength(2);
  });

  test('4001: the next connection uses a new token', async () => {
    let calls = 0;
    const { client } = make({ token: () => `t${++calls}` });
    await client.connect();
    server.peer.socket.close(4001);
    await until(() => server.peers.length === 2, 'the second connection');
    expect(server.tickets.map(({ authorization }) => authorization)).toEqual(['Bearer t1', 'Bearer t2']);
  });
});

describe('heartbeat', () => {
  test('answers ping with pong', async () => {
    const { client } = make();
    await client.connect();
    server.peer.send({ type: 'ping' });
    await until(() => server.peer.received.some(({ type }) => type === 'pong'), 'the pong');
  });

  test('replaces a silent connection and keeps one with traffic', async () => {
    server.heartbeat = { intervalMs: 60, timeoutMs: 40 };
    const { client } = make();
    await client.connect();
    const pings = setInterval(() => server.peers[0]?.send({ type: 'ping' }), 40);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(server.peers).toHaveLength(1);
    clearInterval(pings);
    await until(() => server.peers.length === 2, 'the second connection', 1_000);
  });
});

describe('subscribing', () => {
  test('retries after a temporary refusal; a permanent one ends the subscription', async () => {
    let tries = 0;
    server.intercept = (command, peer) => {
      if (command.type !== 'subscribe' || ++tries > 2) return false;
      const code = command.channel === 'secret' ? 'forbidden' : 'unavailable';
      peer.send({ type: 'error', id: String(command.id), channel: command.channel, code, message: 'No.' });
      return true;
    };
    const { client } = make();
    await client.connect();
    const { subscription } = follow(client);
    await until(() => subscription.position, 'subscribed at the third try');
    tries = 0;
    const refused = new Promise<HoldfastError>((resolve) => {
      client.subscribe('secret', { onMessage: () => {}, onError: resolve });
    });
    expect(await refused).toMatchObject({ code: 'forbidden', channel: 'secret' });
    // The ended subscription is removed, so subscribing again does not throw.
    client.subscribe('secret', { onMessage: () => {} }).unsubscribe();
  });

  test('throws when the client is already subscribed to the channel', () => {
    const { client } = make();
    follow(client);
    expect(() => follow(client)).toThrow(expect.objectContaining({ code: 'already_subscribed' }));
  });

  test('reports exceptions and rejections of callbacks and goes on', async () => {
    const { client, errors } = make();
    const seen: number[] = [];
    const { subscription } = follow(client, {
      onMessage: async ({ offset }) => {
        seen.push(offset);
        throw new Error('The application failed.');
      },
      onSubscribed: () => {
        throw new Error('The application failed.');
      },
    });
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.append(channel);
    server.append(channel);
    await until(() => errors.length === 3, 'three reports');
    expect(seen).toEqual([1, 2]);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['callback_failed']));
  });

  test('keeps the list of present users and joins again after a reconnect', async () => {
    const { client } = make();
    const lists: string[][] = [];
    const { subscription } = follow(client, { onPresence: ({ users }) => lists.push(users) });
    subscription.presence();
    await client.connect();
    const asked = await until(() => server.peer.received.find(({ type }) => type === 'presence'), 'presence');
    server.peer.send({ type: 'presence', id: String('id' in asked && asked.id), channel, users: ['eve', 'ada'] });
    server.peer.send({ type: 'presence', channel, joined: ['bob'], left: ['eve'] });
    await until(() => lists.length === 2, 'two changes');
    expect(lists).toEqual([
      ['ada', 'eve'],
      ['ada', 'bob'],
    ]);
    server.peer.socket.terminate();
    await until(() => server.peers[1]?.received.some(({ type }) => type === 'presence'), 'presence again');
  });

  test('sends typing_start at most once per second and reports the typing of other users', async () => {
    const { client } = make();
    const events: unknown[] = [];
    const { subscription } = follow(client, { onTyping: (event) => events.push(event) });
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    for (let i = 0; i < 10; i++) subscription.typing();
    subscription.stopTyping();
    server.peer.send({ type: 'typing', channel, user: 'bob', typing: true });
    await until(() => events.length === 1, 'the typing event');
    expect(events[0]).toEqual({ channel, user: 'bob', typing: true });
    const { received } = server.peer;
    expect(received.filter(({ type }) => type.startsWith('typing')).map(({ type }) => type)).toEqual([
      'typing_start',
      'typing_stop',
    ]);
  });
});

describe('closing', () => {
  test('rejects waiting publishes; a later connect recovers the subscriptions', async () => {
    const { client, states } = make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.intercept = ({ type }) => type === 'publish';
    const publish = client.publish(channel, 1);
    client.close();
    await expect(publish).rejects.toMatchObject({ code: 'closed' });
    expect(client.welcome).toBeNull();
    server.append(channel);
    await client.connect();
    await until(() => offsets.length === 1, 'the missed message');
    expect(states).toEqual(['connecting', 'connected', 'closed', 'connecting', 'connected']);
  });

  test('rejects a pending connect', async () => {
    server.onConnection = () => true;
    const { client } = make();
    const connect = client.connect();
    await until(() => server.peers.length === 1, 'the connection');
    client.close();
    await expect(connect).rejects.toMatchObject({ code: 'closed' });
  });

  test('does not keep a Node process running', async () => {
    const { execFile } = await import('node:child_process');
    const script = `
      import { createClient } from '${new URL('../../../../server/client/node.ts', import.meta.url).href}';
      const client = createClient({ url: '${server.url}', token: 'jwt' });
      client.on('error', () => {});
      const subscription = client.subscribe('${channel}', { onMessage() {}, onSubscribed() {
        subscription.typing();
        client.publish('${channel}', 1).catch(() => {});
        client.close();
      } });
      await client.connect();
    `;
    server.intercept = ({ type }) => type === 'publish';
    const started = Date.now();
    const tsx = new URL('../../../../node_modules/.bin/tsx', import.meta.url).pathname;
    await new Promise<void>((resolve, reject) => {
      execFile(tsx, ['--input-type=module', '--eval', script], { timeout: 20_000 }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
    expect(Date.now() - started).toBeLessThan(15_000);
  });
});
