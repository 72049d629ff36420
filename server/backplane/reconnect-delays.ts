/** The delays, with random jitter, before one connection to Redis reconnects. Sets no timer. */

const RECONNECT_MAX_MS = 2_000;

/** Milliseconds: doubles from 50 to 2,000. Jitter of up to half spreads the reconnects of many nodes. */
function reconnectDelay(attempt: number): number {
  const ceiling = Math.min(50 * 2 ** Math.min(attempt - 1, 10), RECONNECT_MAX_MS);
  return ceiling * (0.5 + Math.random() / 2);
}

/**
 * Delays start again at the shortest after a connection that lasted as long as the longest delay. That it opened is not enough:
 * Redis may close each connection soon after, for example because its output buffer overflows.
 */
export class ReconnectDelays {
  private readonly now: () => number;
  private attempts = 0;
  private openedAt: number | undefined;

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  opened(): void {
    this.openedAt = this.now();
  }

  /** Milliseconds until the next attempt. To be called when an attempt failed or the connection closed. */
  next(): number {
    if (this.openedAt !== undefined && this.now() - this.openedAt >= RECONNECT_MAX_MS) this.attempts = 0;
    this.openedAt = undefined;
    this.attempts++;
    return reconnectDelay(this.attempts);
  }
}
