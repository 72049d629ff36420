/** The subscriptions of a client to a small server on loopback: recovery, refusals, callbacks, presence, typing. */
import { describe, expect, test } from '@jest/globals';
import type { HoldfastError } from '../../../../server/client/node.ts';
import { CHANNEL, follow, useLoopback } from './loopback-clients.ts';
import { until } from './loopback-server.ts';

const loopback = useLoopback();

describe('recovery', () => {
  test('continues from the position after a dropped socket', async () => {
    const { client, states } = loopback.clients.make();
    const { offsets, subscription } = follow(client);
    loopback.server.append(CHANNEL);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    loopback.server.append(CHANNEL);
    await until(() => offsets.length === 1, 'the first message');
    loopback.server.peer.socket.terminate();
    loopback.server.append(CHANNEL);
    loopback.server.append(CHANNEL);
    await until(() => offsets.length === 3, 'the missed messages');
    expect(offsets).toEqual([2, 3, 4]);
    expect(loopback.server.peer.received[0]).toMatchObject({ type: 'subscribe', recover: { epoch: 'e1', offset: 2 } });
    expect(subscription.stats).toMatchObject({ delivered: 3, duplicates: 0, recovered: 1, lost: 0 });
    expect(states).toEqual(['connecting', 'connected', 'waiting', 'connecting', 'connected']);
  });

  test('delivers every message once and in order, and stores every publish once, through reconnects under load', async () => {
    const { client } = loopback.clients.make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    const publishes: Promise<unknown>[] = [];
    for (let i = 0; i < 500; i++) {
      publishes.push(client.publish(CHANNEL, i));
      if (i % 60 === 0) loopback.server.peer.socket.terminate();
      if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await Promise.all(publishes);
    await until(() => offsets.length >= 500, 'all messages');
    expect(offsets).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    expect(loopback.server.channel(CHANNEL).messages.map(({ data }) => data)).toEqual(
      Array.from({ length: 500 }, (_, index) => index),
    );
    expect(subscription.stats.recovered).toBeGreaterThan(0);
  });

  test('recovers a gap on a live connection: unsubscribe, then subscribe from the position', async () => {
    const { client } = loopback.clients.make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    loopback.server.append(CHANNEL);
    const { peer } = loopback.server;
    peer.channels.delete(CHANNEL);
    loopback.server.append(CHANNEL);
    peer.channels.add(CHANNEL);
    loopback.server.append(CHANNEL);
    await until(() => offsets.length === 3, 'three messages');
    expect(offsets).toEqual([1, 2, 3]);
    expect(subscription.stats.gaps).toBe(1);
    expect(loopback.server.peers).toHaveLength(1);
  });

  test('reports lost history and continues at the new position', async () => {
    const { client } = loopback.clients.make();
    const { offsets, losses, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    loopback.server.append(CHANNEL);
    await until(() => offsets.length === 1, 'the first message');
    loopback.server.channels.set(CHANNEL, { epoch: 'e2', messages: [], keys: new Map() });
    loopback.server.peer.socket.terminate();
    await until(() => losses.length === 1, 'the loss');
    expect(losses[0]).toMatchObject({
      reason: 'epoch_changed',
      from: { epoch: 'e1', offset: 1 },
      to: { epoch: 'e2', offset: 0 },
    });
    loopback.server.append(CHANNEL);
    await until(() => offsets.length === 2, 'the message of the new epoch');
    expect(offsets).toEqual([1, 1]);
  });

  test('leaves a draining node within after_ms and misses no message', async () => {
    const { client, states, errors } = loopback.clients.make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    loopback.server.peer.send({ type: 'reconnect', after_ms: 100, reason: 'draining' });
    loopback.server.append(CHANNEL);
    await until(() => loopback.server.peers.length === 2, 'the second connection', 1_000);
    loopback.server.append(CHANNEL);
    await until(() => offsets.length === 2, 'both messages');
    expect(states).not.toContain('waiting');
    expect(errors).toHaveLength(0);
  });

  test('subscribes again while the unsubscribe is still pending', async () => {
    const { client } = loopback.clients.make();
    const first = follow(client);
    await client.connect();
    await until(() => first.subscription.position, 'subscribed');
    // The server answers the unsubscribe after the second subscribe has arrived.
    loopback.server.intercept = (command, peer) => {
      if (command.type !== 'unsubscribe') return false;
      setTimeout(() => {
        peer.channels.delete(CHANNEL);
        peer.send({ type: 'unsubscribed', channel: CHANNEL, ...(command.id === undefined ? {} : { id: command.id }) });
      }, 10);
      return true;
    };
    first.subscription.unsubscribe();
    const second = follow(client);
    await until(() => second.subscription.position, 'subscribed again');
    loopback.server.append(CHANNEL);
    await until(() => second.offsets.length === 1, 'the message');
    expect(first.offsets).toHaveLength(0);
  });
});

describe('subscribing', () => {
  test('retries after a temporary refusal; a permanent one ends the subscription', async () => {
    let tries = 0;
    loopback.server.intercept = (command, peer) => {
      if (command.type !== 'subscribe' || ++tries > 2) return false;
      const code = command.channel === 'secret' ? 'forbidden' : 'unavailable';
      peer.send({ type: 'error', id: String(command.id), channel: command.channel, code, message: 'No.' });
      return true;
    };
    const { client } = loopback.clients.make();
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
    const { client } = loopback.clients.make();
    follow(client);
    expect(() => follow(client)).toThrow(expect.objectContaining({ code: 'already_subscribed' }));
  });

  test('reports exceptions and rejections of callbacks and goes on', async () => {
    const { client, errors } = loopback.clients.make();
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
    loopback.server.append(CHANNEL);
    loopback.server.append(CHANNEL);
    await until(() => errors.length === 3, 'three reports');
    expect(seen).toEqual([1, 2]);
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['callback_failed']));
  });

  test('keeps the list of present users and joins again after a reconnect', async () => {
    const { client } = loopback.clients.make();
    const lists: string[][] = [];
    const { subscription } = follow(client, { onPresence: ({ users }) => lists.push(users) });
    subscription.presence();
    await client.connect();
    const asked = await until(() => loopback.server.peer.received.find(({ type }) => type === 'presence'), 'presence');
    loopback.server.peer.send({
      type: 'presence',
      id: String('id' in asked && asked.id),
      channel: CHANNEL,
      users: ['eve', 'ada'],
    });
    loopback.server.peer.send({ type: 'presence', channel: CHANNEL, joined: ['bob'], left: ['eve'] });
    await until(() => lists.length === 2, 'two changes');
    expect(lists).toEqual([
      ['ada', 'eve'],
      ['ada', 'bob'],
    ]);
    loopback.server.peer.socket.terminate();
    await until(() => loopback.server.peers[1]?.received.some(({ type }) => type === 'presence'), 'presence again');
  });

  test('sends typing_start at most once per second and reports the typing of other users', async () => {
    const { client } = loopback.clients.make();
    const events: unknown[] = [];
    const { subscription } = follow(client, { onTyping: (event) => events.push(event) });
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    for (let i = 0; i < 10; i++) subscription.typing();
    subscription.stopTyping();
    loopback.server.peer.send({ type: 'typing', channel: CHANNEL, user: 'bob', typing: true });
    await until(() => events.length === 1, 'the typing event');
    expect(events[0]).toEqual({ channel: CHANNEL, user: 'bob', typing: true });
    const { received } = loopback.server.peer;
    expect(received.filter(({ type }) => type.startsWith('typing')).map(({ type }) => type)).toEqual([
      'typing_start',
      'typing_stop',
    ]);
  });
});
