/**
 * Debounce of one channel's typing indicator: at most one start per second, a stop after three idle seconds.
 * Never queues: what cannot be sent now is dropped, as ephemeral events are.
 */

/** A start is repeated at most this often, in milliseconds. */
export const TYPING_START_MS = 1_000;
/** Without a key stroke for this long, in milliseconds, the user has stopped. */
export const TYPING_IDLE_MS = 3_000;

/** Turns key strokes into few commands. `send` answers whether the command left. */
export class TypingDebounce {
  readonly #send: (type: 'typing_start' | 'typing_stop') => boolean;
  readonly #now: () => number;
  #startedAt = Number.NEGATIVE_INFINITY;
  /** The others were told, and not told otherwise since. */
  #announced = false;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (type: 'typing_start' | 'typing_stop') => boolean, now: () => number = Date.now) {
    this.#send = send;
    this.#now = now;
  }

  /** A key stroke. */
  typing(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), TYPING_IDLE_MS);
    const waitMs = this.#startedAt + TYPING_START_MS - this.#now();
    if (waitMs <= 0) this.#start();
    // Stopped and begun again within the second, as after sending: the start follows when it may.
    else if (!this.#announced && this.#later === undefined) this.#later = setTimeout(() => this.#start(), waitMs);
  }

  /** The user stopped, or sent. */
  stop(): void {
    const wasAnnounced = this.#announced;
    this.reset();
    if (wasAnnounced) this.#send('typing_stop');
  }

  /** Forgets what was sent, silently: the connection that carried it is gone. */
  reset(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#announced = false;
  }

  #start(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    if (!this.#send('typing_start')) return;
    this.#startedAt = this.#now();
    this.#announced = true;
  }
}
