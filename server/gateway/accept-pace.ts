/**
 * Pace of new connections. Whoever comes too early is told when to come again: each a slot of its own, one after the
 * other, because a herd that is told the same time comes back as the same herd.
 */
import { TokenBucket } from '../limits/token-bucket.ts';

/** Longest time that anybody is sent away for, milliseconds: longer than this a client had better try another node. */
const AWAY_MAX_MS = 30_000;

export class AcceptPace {
  private readonly bucket: TokenBucket;
  private readonly slotMs: number;
  /** Slots up to this time are promised to those who were sent away. */
  private promisedUntil = 0;

  /** @param perSecond connections; a second's worth may come at once: enough for a burst, not for a herd */
  constructor(perSecond: number, now: number) {
    this.bucket = new TokenBucket(perSecond, perSecond, now);
    this.slotMs = 1_000 / perSecond;
  }

  /** 0: come in. Else: come again after so many milliseconds. */
  ask(now: number): number {
    if (this.bucket.take(now) === 0) return 0;
    this.promisedUntil = Math.min(Math.max(this.promisedUntil, now) + this.slotMs, now + AWAY_MAX_MS);
    return this.promisedUntil - now;
  }
}
