/** The faults that need more than a few lines: connection crowds, locks, slow networks, full heaps. Each returns the function that ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { HoldfastNode } from '../../infra/local/servers/node.ts';
import { metric, post } from '../support/api.ts';
import { TcpProxy } from '../support/faults/tcp-proxy.ts';
import { RawClient } from '../support/raw-client.ts';
import { eventually } from '../support/wait.ts';
import type { Stage } from './stage.ts';

export type Heal = () => Promise<unknown> | unknown;

/** Repeats `act` with a pause of `pauseMs` until stopped. Errors of `act` are ignored: they are part of the fault. */
export function repeat(pauseMs: number, act: () => unknown, atEnd: () => void = () => {}): Heal {
  let going = true;
  const done = (async () => {
    while (going) {
      await Promise.resolve(act()).catch(() => {});
      await sleep(pauseMs);
    }
  })();
  return async () => {
    going = false;
    await done;
    atEnd();
  };
}

/** Opens one authenticated connection per address. Refused ones are returned too, closed. */
export async function openAll(addresses: readonly string[], token: string): Promise<RawClient[]> {
  const clients = addresses.map((address) => {
    const client = new RawClient(address);
    client.ws.once('open', () => client.send({ type: 'auth', token }));
    return client;
  });
  await eventually(() => {
    if (clients.some(({ pushes, closed }) => pushes.length === 0 && !closed))
      throw new Error('Some connections are still opening.');
  });
  return clients;
}

/** Suspends the nodes with SIGSTOP: their ports accept connections, but they do nothing. */
export function stopped(nodes: readonly HoldfastNode[]): Heal {
  for (const { process } of nodes) process.kill('SIGSTOP');
  return () => {
    for (const { process } of nodes) process.kill('SIGCONT');
  };
}

/** Holds an exclusive lock on the table of messages while one channel is published to and five are read. */
export async function lockMessages({ faulty, token }: Stage): Promise<Heal> {
  const client = new pg.Client({ connectionString: faulty.directDatabaseUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
  const { url } = faulty.node(0);
  let i = 0;
  const publishing = repeat(5, () => {
    for (let n = 0; n < 5; n++) post(url, token, { channel: 'room:locked', data: i++ }).catch(() => {});
  });
  const reading = repeat(20, () => {
    fetch(`${url}/v1/conversations.history?channel=room:${i % 5}&after=0`, {
      headers: { authorization: `Bearer ${token}` },
    }).catch(() => {});
  });
  return async () => {
    await publishing();
    await reading();
    await client.query('ROLLBACK');
    await client.end();
  };
}

/** Clients on a connection of 1 KB/s subscribe to a channel that carries megabytes per second. */
export async function slowClients({ faulty, token }: Stage): Promise<Heal> {
  const node = faulty.node(0);
  const link = await TcpProxy.start(node.port);
  link.limit(1_024);
  const channel = 'room:megabytes';
  const data = 'x'.repeat(50_000);
  const publishing = repeat(20, () => post(node.url, token, { channel, data }));
  let going = true;
  const clients = Array.from({ length: 24 }, async (_, i) => {
    // Staggered, so that a client passes the high-water mark at any time.
    await sleep(i * 250);
    while (going) {
      try {
        const client = await RawClient.open(`ws://127.0.0.1:${link.port}/ws`, token);
        client.send({ type: 'subscribe', channel });
        // The close frame is queued behind megabytes: do not wait for it.
        await sleep(5_000);
        client.close();
      } catch {
        // At 1 KB/s the handshake may time out. The loop tries again.
      }
    }
  });
  return async () => {
    going = false;
    await publishing();
    await link.stop();
    await Promise.all(clients);
  };
}

/** Gives a node a heap limit little above the need of an idle node, then subscribes to channels until it is nearly full. */
export async function smallHeap({ faulty, token }: Stage): Promise<Heal> {
  const node = faulty.node(1);
  await node.restart({ NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=1' });
  const clients: RawClient[] = [];
  const filling = repeat(50, async () => {
    const [used, limit] = await Promise.all([
      metric(node.metricsUrl, 'holdfast_memory_bytes', { kind: 'heap' }),
      metric(node.metricsUrl, 'holdfast_memory_limit_bytes', { kind: 'heap' }),
    ]);
    // Above the 85 % of the alert, and below the limit at which the process ends.
    if (used > 0.89 * limit) return;
    const client = await RawClient.open(node.wsUrl, token);
    for (let n = 0; n < 200; n++) client.send({ type: 'subscribe', channel: `room:${clients.length}-${n}` });
    clients.push(client);
  });
  return async () => {
    await filling();
    for (const client of clients) client.close();
    await node.restart({ NODE_OPTIONS: '' });
  };
}

/** Path of libfaketime on Debian, which changes the clock of a process. */
export function fakeTimeLibrary(): string {
  return process.arch === 'arm64'
    ? '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1'
    : '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
}
