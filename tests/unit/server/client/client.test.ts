/** `Client` against a small server on loopback: its platform, and what `close()` leaves behind. */
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { Client } from '../../../../server/client/client.ts';
import { HoldfastError } from '../../../../server/client/node.ts';
import { CHANNEL, follow, useLoopback } from './loopback-clients.ts';
import { until } from './loopback-server.ts';

const loopback = useLoopback();

describe('a platform without WebSocket', () => {
  const missing = () => Promise.reject(new HoldfastError('websocket_missing', 'Run: npm install ws'));

  test('rejects connect before it requests a ticket', async () => {
    const client = new Client({ url: loopback.server.url, token: 'jwt' }, { loadWebSocket: missing, fetch });
    await expect(client.connect()).rejects.toMatchObject({ code: 'websocket_missing', temporary: false });
    expect(client.state).toBe('closed');
    expect(loopback.server.tickets).toHaveLength(0);
  });

  test('uses the option WebSocket', async () => {
    const client = new Client({ url: loopback.server.url, token: 'jwt', WebSocket }, { loadWebSocket: missing, fetch });
    loopback.clients.add(client);
    expect(await client.connect()).toMatchObject({ user: 'ada' });
  });
});

describe('closing', () => {
  test('rejects waiting publishes; a later connect recovers the subscriptions', async () => {
    const { client, states } = loopback.clients.make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    loopback.server.intercept = ({ type }) => type === 'publish';
    const publish = client.publish(CHANNEL, 1);
    client.close();
    await expect(publish).rejects.toMatchObject({ code: 'closed' });
    expect(client.welcome).toBeNull();
    loopback.server.append(CHANNEL);
    await client.connect();
    await until(() => offsets.length === 1, 'the missed message');
    expect(states).toEqual(['connecting', 'connected', 'closed', 'connecting', 'connected']);
  });

  test('rejects a pending connect', async () => {
    loopback.server.onConnection = () => true;
    const { client } = loopback.clients.make();
    const connect = client.connect();
    await until(() => loopback.server.peers.length === 1, 'the connection');
    client.close();
    await expect(connect).rejects.toMatchObject({ code: 'closed' });
  });

  test('does not keep a Node process running', async () => {
    const { execFile } = await import('node:child_process');
    const script = `
      import { createClient } from '${new URL('../../../../server/client/node.ts', import.meta.url).href}';
      const client = createClient({ url: '${loopback.server.url}', token: 'jwt' });
      client.on('error', () => {});
      const subscription = client.subscribe('${CHANNEL}', { onMessage() {}, onSubscribed() {
        subscription.typing();
        client.publish('${CHANNEL}', 1).catch(() => {});
        client.close();
      } });
      await client.connect();
    `;
    loopback.server.intercept = ({ type }) => type === 'publish';
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
