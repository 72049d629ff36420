/** The heartbeat closes silent connections in time, keeps the others, and spreads the pings evenly. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Heartbeat, type HeartbeatTarget } from '../../../../server/gateway/heartbeat.ts';

class Peer implements HeartbeatTarget {
  alive = true;
  pingedAt: number[] = [];
  expiredAt = 0;
  readonly answers: boolean;

  constructor(answers: boolean) {
    this.answers = answers;
  }
  ping(): void {
    this.pingedAt.push(Date.now());
    if (this.answers) setTimeout(() => (this.alive = true), 9_000);
  }
  expire(): void {
    this.expiredAt ||= Date.now();
  }
}

beforeEach(() => void jest.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void jest.useRealTimers());

test('a silent connection expires within interval and timeout; one that answers just in time stays', () => {
  const heartbeat = new Heartbeat<Peer>({ intervalMs: 30_000, timeoutMs: 10_000 });
  const peers = Array.from({ length: 200 }, (_, i) => new Peer(i % 2 === 0));
  for (const peer of peers) heartbeat.add(peer);
  jest.advanceTimersByTime(40_500);
  for (const peer of peers) {
    if (peer.answers) expect(peer.expiredAt).toBe(0);
    else expect(peer.expiredAt - (peer.pingedAt[0] as number)).toBeLessThanOrEqual(10_500);
    expect(peer.answers || peer.expiredAt > 0).toBe(true);
  }
  jest.advanceTimersByTime(600_000);
  expect(peers.filter((peer) => peer.answers && peer.expiredAt > 0)).toEqual([]);
  heartbeat.stop();
});

test('each connection is pinged once per interval, and no tick pings more than its share', () => {
  const heartbeat = new Heartbeat<Peer>({ intervalMs: 30_000, timeoutMs: 10_000 });
  const peers = Array.from({ length: 600 }, () => new Peer(true));
  for (const peer of peers) heartbeat.add(peer);
  jest.advanceTimersByTime(60_000);
  expect(new Set(peers.map((peer) => peer.pingedAt.length))).toEqual(new Set([2]));
  const perTick = new Map<number, number>();
  for (const at of peers.flatMap((peer) => peer.pingedAt)) perTick.set(at, (perTick.get(at) ?? 0) + 1);
  expect(Math.max(...perTick.values())).toBeLessThanOrEqual(10);
  heartbeat.stop();
});

test('a removed connection is neither pinged nor expired', () => {
  const heartbeat = new Heartbeat<Peer>({ intervalMs: 1_000, timeoutMs: 300 });
  const peer = new Peer(false);
  heartbeat.add(peer)();
  jest.advanceTimersByTime(5_000);
  expect([peer.pingedAt, peer.expiredAt]).toEqual([[], 0]);
  heartbeat.stop();
});
