/**
 * Rate of publishes, adapted to the limit of the server. Publishes are unspaced until the first `rate_limited` error.
 * Errors widen the spacing between two publishes, acks shrink it, so the rate settles near the limit.
 * The spacing widens once for all publishes that were in flight together: the server refuses them for the same rate. It widens
 * again only when a publish that was sent with the new spacing is refused. Example: publishes 1 to 9 are in flight, and the
 * server refuses 5 to 9. The error for 5 widens the spacing, those for 6 to 9 do not, an error for 10 does.
 * Pure: the caller supplies the clock. Must never set a timer.
 */

/** Spacing after the first `rate_limited` error, and the maximum, in milliseconds. */
const FIRST_SPACING_MS = 4;
const MAX_SPACING_MS = 1_000;
/** Factor for each further error that counts. */
const WIDEN = 1.5;
/** Part of the spacing by which an ack shrinks it, at most. 69 acks halve the spacing. */
const EASE_MAX = 0.01;
/**
 * Time in which the rate may grow by the factor e, in milliseconds. It limits the growth above 50 publishes per second.
 * Without it, a rate of 200 per second doubles every 0.35 s, and each overshoot is refused for a whole round trip.
 */
const GROWTH_MS = 2_000;
/** A spacing below this, in milliseconds, becomes 0. */
const MIN_SPACING_MS = 0.2;
/** Backlog, in milliseconds, that may be sent at once after a late timer. Browsers fire timers late. */
const CATCH_UP_MS = 50;

export class Pace {
  #spacingMs = 0;
  #nextAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** Number of the newest publish sent, and of the newest one sent when the spacing was last widened. */
  #sent = 0;
  #sentWhenWidened = 0;

  /** Delay before the next publish may be sent, in milliseconds; 0 means now. */
  waitMs(now: number): number {
    return Math.max(0, this.#pausedUntil - now, this.#spacingMs === 0 ? 0 : this.#nextAt - now);
  }

  /** Whether a pause is active. */
  paused(now: number): boolean {
    return this.#pausedUntil > now;
  }

  /** Returns the number of this attempt, for `limited`. */
  sent(now: number): number {
    this.#nextAt = Math.max(this.#nextAt, now - CATCH_UP_MS) + this.#spacingMs;
    return ++this.#sent;
  }

  pause(ms: number, now: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + ms);
  }

  /** The server refused this attempt for its rate. */
  limited(attempt: number): void {
    if (attempt <= this.#sentWhenWidened) return;
    this.#sentWhenWidened = this.#sent;
    this.#spacingMs = Math.min(MAX_SPACING_MS, Math.max(FIRST_SPACING_MS, this.#spacingMs * WIDEN));
  }

  acked(): void {
    this.#spacingMs *= 1 - Math.min(EASE_MAX, this.#spacingMs / GROWTH_MS);
    if (this.#spacingMs < MIN_SPACING_MS) this.#spacingMs = 0;
  }

  /** Call on a new connection. It ends the pause, which the old node asked for, and keeps the spacing: nodes share their limits. */
  reset(): void {
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
  }
}
