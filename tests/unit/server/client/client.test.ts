/** `Client` against a small server on loopback: its platform, and what `close()` leaves behind. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { Client } from '../../../../server/client/client.ts';
import { HoldfastError } from '../../../../server/client/node.ts';
import { CHANNEL, follow, LoopbackClients } from './loopback-clients.ts';
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
    clients.add(client);
    expect(await client.connect()).toMatchObject({ user: 'ada' });
  });
});

describe('closing', () => {
  test('rejects waiting publishes; a later connect recovers the subscriptions', async () => {
    const { client, states } = clients.make();
    const { offsets, subscription } = follow(client);
    await client.connect();
    await until(() => subscription.position, 'subscribed');
    server.intercept = ({ type }) => type === 'publish';
    const publish = client.publish(CHANNEL, 1);
    client.close();
    await expect(publish).rejects.toMatchObject({ code: 'closed' });
    expect(client.welcome).toBeNull();
    server.append(CHANNEL);
    await client.connect();
    await until(() => offsets.length === 1, 'the missed message');
    expect(states).toEqual(['connecting', 'connected', 'closed', 'connecting', 'connected']);
  });

  test('rejects a pending connect', async () => {
    server.onConnection = () => true;
    const { client } = clients.make();
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
      const subscription = client.subscribe('${CHANNEL}', { onMessage() {}, onSubscribed() {
        subscription.typing();
        client.publish('${CHANNEL}', 1).catch(() => {});
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
