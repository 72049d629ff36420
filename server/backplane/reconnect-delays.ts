/** How long to wait before the next try to connect. */

const RECONNECT_MAX_MS = 2_000;

/** Milliseconds: doubling from 50 to 2,000, with jitter over the upper half so that nodes do not come back in step. */
function reconnectDelay(attempt: number): number {
  const ceiling = Math.min(50 * 2 ** Math.min(attempt - 1, 10), RECONNECT_MAX_MS);
  return ceiling * (0.5 + Math.random() / 2);
}

/**
 * The delays of one connection, which begin anew once it lasted longer than the longest of them. That it could be opened
 * is not enough: a server may close each connection as soon as it is subscribed, as its output does not fit the buffer.
 */
export class ReconnectDelays {
  private readonly now: () => number;
  private attempts = 0;
  private openedAt: number | undefined;

  /** `now` gives milliseconds of any clock that goes forward only. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  opened(): void {
    this.openedAt = this.now();
  }

  /** Milliseconds until the next try, of a connection that could not be opened or was closed just now. */
  next(): number {
    if (this.openedAt !== undefined && this.now() - this.openedAt >= RECONNECT_MAX_MS) this.attempts = 0;
    this.openedAt = undefined;
    this.attempts++;
    return reconnectDelay(this.attempts);
  }
}
