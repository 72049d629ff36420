/** A light load through the client SDK, so that dashboards have something to show. For benchmarks see tests/load. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, HoldfastError } from '../../../server/client/node.ts';
import type { HoldfastClient } from '../../../server/client/types.ts';

export interface LightLoadOptions {
  readonly url: string;
  /** Returns a token for this user. */
  readonly token: (user: string) => Promise<string>;
  readonly users: number;
  readonly channels: number;
  /** Messages per second of all users together. */
  readonly messagesPerSecond: number;
  /** Users per second that disconnect and connect again. */
  readonly comingAndGoingPerSecond: number;
}

export interface LightLoad {
  /** Acknowledged messages, and failed publishes. */
  readonly counts: { acknowledged: number; failed: number };
  stop(): Promise<void>;
}

/** Connects all users. Each subscribes to two channels and publishes to one of them. */
export async function startLightLoad(options: LightLoadOptions): Promise<LightLoad> {
  const counts = { acknowledged: 0, failed: 0 };
  const stop = new AbortController();
  const people = Array.from({ length: options.users }, (_, i) => person(options, i));
  await Promise.all(people.map((client) => client.connect()));
  const talking = every(options.messagesPerSecond, stop.signal, (i) => {
    const index = i % people.length;
    const client = people[index] as HoldfastClient;
    if (client.state !== 'connected') return;
    client.publish(channelOf(index, options), { text: `message ${i}` }).then(
      () => counts.acknowledged++,
      (error: unknown) => {
        // The user disconnected while the publish was in flight. The message may be stored or not; that is no failure.
        if (!(error instanceof HoldfastError && error.code === 'closed')) counts.failed++;
      },
    );
  });
  const moving = every(options.comingAndGoingPerSecond, stop.signal, (i) => {
    const client = people[(i * 7) % people.length] as HoldfastClient;
    client.close();
    // `stop` may close the client before it has connected; that is no failure.
    client.connect().catch(() => {});
  });
  return {
    counts,
    async stop() {
      stop.abort();
      await Promise.all([talking, moving]);
      for (const client of people) client.close();
    },
  };
}

const channelOf = (person: number, { channels }: LightLoadOptions) => `room:${person % channels}`;

function person(options: LightLoadOptions, i: number): HoldfastClient {
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
