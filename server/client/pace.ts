/**
 * How fast publishes may leave. Free until the server says `rate_limited`; from then on spaced, twice as far with each
 * further one, closer again with each ack: the rate settles just below the server's limit without knowing it.
 * Pure: the caller brings the clock. Never sets a timer.
 */

/** First spacing, and the largest, in milliseconds. */
const FIRST_SPACING_MS = 4;
const MAX_SPACING_MS = 1_000;
/** Share of the spacing that stays after an ack: some 70 acks halve it. */
const EASE = 0.99;
/** Below this it counts as free, in milliseconds. */
const FREE_MS = 0.2;
/** Slots that a late timer may make up for, in milliseconds. Browsers fire timers late; the rate must not sink with it. */
const CATCH_UP_MS = 50;

export class Pace {
  #spacingMs = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** How long until the next publish may leave, in milliseconds; 0 is now. */
  waitMs(now: number): number {
    return Math.max(0, this.#pausedUntil - now, this.#spacingMs === 0 ? 0 : this.#nextAt - now);
  }

  /** Whether a pause is being kept: failures that arrive meanwhile are of the same burst. */
  paused(now: number): boolean {
    return this.#pausedUntil > now;
  }

  sent(now: number): void {
    this.#nextAt = Math.max(this.#nextAt, now - CATCH_UP_MS) + this.#spacingMs;
  }

  pause(ms: number, now: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + ms);
  }

  limited(): void {
    this.#spacingMs = Math.min(MAX_SPACING_MS, Math.max(FIRST_SPACING_MS, this.#spacingMs * 2));
  }

  acked(): void {
    this.#spacingMs *= EASE;
    if (this.#spacingMs < FREE_MS) this.#spacingMs = 0;
  }

  /** A new connection: pauses were the old node's. The spacing stays, the limit is most likely the same. */
  reset(): void {
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
  }
}
