/**
 * Debounce of the typing indicator of one channel: at most one `typing_start` per second, and a `typing_stop` after three
 * seconds without a keystroke. Must never queue a command: typing is ephemeral, so what cannot be sent now is dropped.
 */

/** Least time between two `typing_start` commands, in milliseconds. */
export const TYPING_START_MS = 1_000;
/** The user has stopped typing after this long without a keystroke, in milliseconds. */
export const TYPING_IDLE_MS = 3_000;

/** Turns keystrokes into few commands. `send` returns whether the command was sent. */
export class TypingDebounce {
  readonly #send: (type: 'typing_start' | 'typing_stop') => boolean;
  readonly #now: () => number;
  #startedAt = Number.NEGATIVE_INFINITY;
  /** A `typing_start` was sent, and no `typing_stop` since. */
  #announced = false;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (type: 'typing_start' | 'typing_stop') => boolean, now: () => number = Date.now) {
    this.#send = send;
    this.#now = now;
  }

  /** Call on each keystroke. */
  typing(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), TYPING_IDLE_MS);
    const waitMs = this.#startedAt + TYPING_START_MS - this.#now();
    if (waitMs <= 0) this.#start();
    // The user stopped and began again within a second, for example after sending. The start is sent when the second is over.
    else if (!this.#announced && this.#later === undefined) this.#later = setTimeout(() => this.#start(), waitMs);
  }

  /** Call when the user stops typing or sends the message. */
  stop(): void {
    const wasAnnounced = this.#announced;
    this.reset();
    if (wasAnnounced) this.#send('typing_stop');
  }

  /** Clears the state without sending: the connection that carried the commands is gone. */
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
