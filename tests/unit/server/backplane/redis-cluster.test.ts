/** When `RedisCluster` refreshes the slot map: at an interval, and soon after a link reports that the map may be out of date. */
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

/** A cluster of one server whose slot map never changes, and a count of its refreshes. */
async function start() {
  let count = 0;
  let request = () => {};
  const seed = {
    status: 'ready',
    options: { host: 'a' },
    on: () => {},
    connect: async () => {},
    disconnect: () => {},
    async cluster() {
      count++;
      return [[0, SLOTS - 1, ['a', 1, 'id', []]]];
    },
  };
  const link = { isUp: true, connection: undefined, canaryAgeSeconds: 0, start: async () => {}, close: async () => {} };
  const cluster = new RedisCluster({
    seed: seed as unknown as Redis,
    link: (_address, { onMoved }) => {
      request = onMoved;
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
  return { cluster, refreshes: () => count, request: () => request() };
}

test('requests that come faster than refreshes postpone none, and refreshes without a change get rarer', async () => {
  const { cluster, refreshes, request } = await start();
  const at: number[] = [];
  for (let ms = 0; ms < 4_000; ms += 10) {
    const before = refreshes();
    request();
    await jest.advanceTimersByTimeAsync(10);
    if (refreshes() > before) at.push(ms);
  }
  expect(at.length).toBeGreaterThanOrEqual(5);
  expect(at.length).toBeLessThanOrEqual(8);
  expect(at[0]).toBeLessThan(100);
  await cluster.close();
});

test('without a request, the slot map is refreshed at the interval until the cluster is closed', async () => {
  const { cluster, refreshes } = await start();
  expect(refreshes()).toBe(1);
  await jest.advanceTimersByTimeAsync(REFRESH_MS - 1_000);
  expect(refreshes()).toBe(1);
  await jest.advanceTimersByTimeAsync(2_000);
  expect(refreshes()).toBe(2);
  await cluster.close();
  await jest.advanceTimersByTimeAsync(2 * REFRESH_MS);
  expect(refreshes()).toBe(2);
});
