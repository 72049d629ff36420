/** When a Redis Cluster is looked at: soon after a refusal, however many follow, and less and less often while that finds nothing new. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisCluster } from '../../../../server/backplane/redis-cluster.ts';
import type { RedisLink } from '../../../../server/backplane/redis-link.ts';
import { SLOTS } from '../../../../server/backplane/slots.ts';

const REFRESH_MS = 600_000;
const EVENTS = { onMessage: () => {}, onUp: () => {}, onDown: () => {} };

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A cluster of one server that never changes; only what it asks and is told matters here. */
async function start() {
  let looks = 0;
  let refuse = () => {};
  const seed = {
    status: 'ready',
    options: { host: 'a' },
    on: () => {},
    connect: async () => {},
    disconnect: () => {},
    async cluster() {
      looks++;
      return [[0, SLOTS - 1, ['a', 1, 'id', []]]];
    },
  };
  const link = { isUp: true, connection: undefined, canaryAgeSeconds: 0, start: async () => {}, close: async () => {} };
  const cluster = new RedisCluster({
    seed: seed as unknown as Redis,
    link: (_address, { onMoved }) => {
      refuse = onMoved;
      return link as unknown as RedisLink;
    },
    canaryStem: 'canary:',
    refreshMs: REFRESH_MS,
    retryMs: 1_000,
    onError: (error) => {
      throw error;
    },
  });
  await cluster.start(EVENTS);
  return { cluster, looks: () => looks, refuse: () => refuse() };
}

test('refusals that come faster than looks put none off, and looks that find nothing come less and less often', async () => {
  const { cluster, looks, refuse } = await start();
  const at: number[] = [];
  for (let ms = 0; ms < 4_000; ms += 10) {
    const before = looks();
    refuse();
    await jest.advanceTimersByTimeAsync(10);
    if (looks() > before) at.push(ms);
  }
  expect(at.length).toBeGreaterThanOrEqual(5);
  expect(at.length).toBeLessThanOrEqual(8);
  expect(at[0]).toBeLessThan(100);
  await cluster.close();
});

test('while nobody is refused, in intervals', async () => {
  const { cluster, looks } = await start();
  expect(looks()).toBe(1);
  await jest.advanceTimersByTimeAsync(REFRESH_MS - 1_000);
  expect(looks()).toBe(1);
  await jest.advanceTimersByTimeAsync(2_000);
  expect(looks()).toBe(2);
  await cluster.close();
  await jest.advanceTimersByTimeAsync(2 * REFRESH_MS);
  expect(looks()).toBe(2);
});
