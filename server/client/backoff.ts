/**
 * How long to wait before the next try: exponential with full jitter, so that clients which lost the same node come
 * back spread over the whole window. Pure: the caller brings random numbers and elapsed times. Never sets a timer.
 */

export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. It doubles with each try. Default 1000. */
  baseMs: number;
  /** Upper bound of every wait, in milliseconds. Default 30000. */
  maxMs: number;
  /** A connection that stayed up this long, in milliseconds, ends the series: the next wait is a first one. Default 10000. */
  stableMs: number;
}

export const DEFAULT_BACKOFF: Readonly<BackoffOptions> = { baseMs: 1_000, maxMs: 30_000, stableMs: 10_000 };

/** The waits of one series of tries. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #tries = 0;

  /** @param random from 0 up to, not including, 1 */
  constructor(options: Partial<BackoffOptions> = {}, random: () => number = Math.random) {
    this.#options = { ...DEFAULT_BACKOFF, ...options };
    this.#random = random;
  }

  /** Upper bound of the next wait, in milliseconds. */
  get ceilingMs(): number {
    return Math.min(this.#options.maxMs, this.#options.baseMs * 2 ** this.#tries);
  }

  /**
   * The next wait, in milliseconds: evenly spread from 0 to the ceiling, which then doubles.
   * What the server asked for comes on top; waiting exactly that long would bring everybody back together.
   */
  next(retryAfterMs = 0): number {
    const jitterMs = this.#random() * this.ceilingMs;
    // 2 ** 30 s is beyond any ceiling; counting further would end in Infinity * 0.
    this.#tries = Math.min(this.#tries + 1, 30);
    return Math.max(0, retryAfterMs) + jitterMs;
  }

  /** A connection ended after `upMs`. A short-lived one must not start the series again: it would flap without pause. */
  ended(upMs: number): void {
    if (upMs >= this.#options.stableMs) this.reset();
  }

  reset(): void {
    this.#tries = 0;
  }
}
