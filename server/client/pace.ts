/**
 * Rate of publishes, adapted to the limit of the server. Publishes are unspaced until the first `rate_limited` error.
 * Each such error doubles the spacing between two publishes, each ack shrinks it by 1%, so the rate settles near the limit.
 * Pure: the caller supplies the clock. Must never set a timer.
 */

/** Spacing after the first `rate_limited` error, and the maximum, in milliseconds. */
const FIRST_SPACING_MS = 4;
const MAX_SPACING_MS = 1_000;
/** Factor per ack: 69 acks halve the spacing. */
const EASE = 0.99;
/** A spacing below this, in milliseconds, becomes 0. */
const MIN_SPACING_MS = 0.2;
/** Backlog, in milliseconds, that may be sent at once after a late timer. Browsers fire timers late. */
const CATCH_UP_MS = 50;

export class Pace {
  #spacingMs = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** Delay before the next publish may be sent, in milliseconds; 0 means now. */
  waitMs(now: number): number {
    return Math.max(0, this.#pausedUntil - now, this.#spacingMs === 0 ? 0 : this.#nextAt - now);
  }

  /** Whether a pause is active. Errors that arrive during a pause belong to the burst that caused it. */
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
    if (this.#spacingMs < MIN_SPACING_MS) this.#spacingMs = 0;
  }

  /** Call on a new connection. It ends the pause, which the old node asked for, and keeps the spacing: nodes share their limits. */
  reset(): void {
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
  }
}
