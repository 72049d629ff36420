/** A light load through the client SDK, so that dashboards have data. Not a benchmark: those are in tests/load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, HoldfastError } from '../../../server/client/node.ts';
import type { HoldfastClient } from '../../../server/client/types.ts';

export interface LightLoadOptions {
  readonly url: string;
  /** A token for this user. */
  readonly token: (user: string) => Promise<string>;
  readonly users: number;
  readonly channels: number;
  /** Messages per second, of all users together. */
  readonly messagesPerSecond: number;
  /** Users per second that disconnect and reconnect. */
  readonly comingAndGoingPerSecond: number;
}

export interface LightLoad {
  /** Acknowledged publishes, and publishes that failed. */
  readonly counts: { acknowledged: number; failed: number };
  stop(): Promise<void>;
}

/** Every user subscribes to two channels, and all users publish in turn. */
export async function startLightLoad(options: LightLoadOptions): Promise<LightLoad> {
  const counts = { acknowledged: 0, failed: 0 };
  const stop = new AbortController();
  const clients = Array.from({ length: options.users }, (_, i) => createUser(options, i));
  await Promise.all(clients.map((client) => client.connect()));
  const publishing = every(options.messagesPerSecond, stop.signal, (i) => {
    const user = i % clients.length;
    const client = clients[user] as HoldfastClient;
    if (client.state !== 'connected') return;
    client.publish(channelOf(user, options), { text: `message ${i}` }).then(
      () => counts.acknowledged++,
      (error: unknown) => {
        // The load itself closed this client with a publish in flight: the outcome is unknown, not a failure.
        if (!(error instanceof HoldfastError && error.code === 'closed')) counts.failed++;
      },
    );
  });
  const reconnecting = every(options.comingAndGoingPerSecond, stop.signal, (i) => {
    const client = clients[(i * 7) % clients.length] as HoldfastClient;
    client.close();
    // `stop` may close the client while it connects.
    client.connect().catch(() => {});
  });
  return {
    counts,
    async stop() {
      stop.abort();
      await Promise.all([publishing, reconnecting]);
      for (const client of clients) client.close();
    },
  };
}

const channelOf = (user: number, { channels }: LightLoadOptions) => `room:${user % channels}`;

function createUser(options: LightLoadOptions, i: number): HoldfastClient {
  const client = createClient({
    url: options.url,
    token: () => options.token(`user-${i}`),
    affinity: String(i),
    publishTimeoutMs: 10_000,
  });
  client.subscribe(channelOf(i, options), { onMessage: () => {} });
  client.subscribe(channelOf(i + 1, options), { onMessage: () => {} });
  return client;
}

async function every(perSecond: number, signal: AbortSignal, act: (i: number) => void): Promise<void> {
  if (perSecond <= 0) return;
  for (let i = 0; !signal.aborted; i++) {
    act(i);
    await sleep(1_000 / perSecond, undefined, { signal }).catch(() => {});
  }
}
