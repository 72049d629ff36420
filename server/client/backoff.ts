/**
 * Exponential backoff with full jitter. Clients that lost the same node return spread over the whole window.
 * Pure: the caller supplies random numbers and elapsed times. Must never set a timer.
 */

export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. It doubles with each attempt. Default 1000. */
  baseMs: number;
  /** Upper bound of every delay, in milliseconds. A `retry_after_ms` of the server is added to it. Default 30000. */
  maxMs: number;
  /** A connection that lasted this long, in milliseconds, resets the backoff to `baseMs`. Default 10000. */
  stableMs: number;
}

export const DEFAULT_BACKOFF: Readonly<BackoffOptions> = { baseMs: 1_000, maxMs: 30_000, stableMs: 10_000 };

/** The delays of one series of attempts. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #attempts = 0;

  /** @param random returns a number in [0, 1) */
  constructor(options: Partial<BackoffOptions> = {}, random: () => number = Math.random) {
    this.#options = { ...DEFAULT_BACKOFF, ...options };
    this.#random = random;
  }

  /** Upper bound of the next delay without `retryAfterMs`, in milliseconds. */
  get ceilingMs(): number {
    return Math.min(this.#options.maxMs, this.#options.baseMs * 2 ** this.#attempts);
  }

  /**
   * Returns the next delay in milliseconds, uniform in [0, ceilingMs), and doubles the ceiling.
   * `retryAfterMs` is added to the jitter: clients that all wait exactly that long would return together.
   */
  next(retryAfterMs = 0): number {
    const jitterMs = this.#random() * this.ceilingMs;
    // Bounded: with a `baseMs` of 0, 2 ** 1024 would make the ceiling 0 * Infinity, which is NaN.
    this.#attempts = Math.min(this.#attempts + 1, 30);
    return Math.max(0, retryAfterMs) + jitterMs;
  }

  /** Call when a connection ends. A connection shorter than `stableMs` does not reset the backoff, which prevents flapping. */
  ended(upMs: number): void {
    if (upMs >= this.#options.stableMs) this.reset();
  }

  reset(): void {
    this.#attempts = 0;
  }
}
