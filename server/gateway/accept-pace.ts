/**
 * Limits the rate of new connections. Rejected clients get staggered Retry-After values, so that they do not return
 * together. Pure: the caller passes the time.
 */
import { TokenBucket } from '../limits/token-bucket.ts';

/** The longest delay, milliseconds: a client that would wait longer should try another node. */
const DELAY_MAX_MS = 30_000;

export class AcceptPace {
  private readonly bucket: TokenBucket;
  private readonly spacingMs: number;
  /** The latest time at which a rejected client was told to return, milliseconds. */
  private lastReturn = 0;

  /** @param perSecond connections per second; a burst may have as many at once */
  constructor(perSecond: number, now: number) {
    this.bucket = new TokenBucket(perSecond, perSecond, now);
    this.spacingMs = 1_000 / perSecond;
  }

  /** Returns 0 to admit the connection, otherwise the delay in milliseconds after which the client may return. */
  take(now: number): number {
    if (this.bucket.take(now) === 0) return 0;
    this.lastReturn = Math.min(Math.max(this.lastReturn, now) + this.spacingMs, now + DELAY_MAX_MS);
    return this.lastReturn - now;
  }
}
