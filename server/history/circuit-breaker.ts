/**
 * Circuit breaker for Postgres. While it is open, statements are refused at once instead of each waiting for its timeout, and one
 * trial at a time checks whether Postgres is back. Knows no statement: the trial is an option.
 */
export interface CircuitBreakerOptions {
  /** Resolves when Postgres answers and takes writes. */
  readonly trial: () => Promise<void>;
  /** Pause between two trials, milliseconds; jitter is 50 %. The first trial runs at once: one broken connection is no outage. */
  readonly retryMs: number;
  readonly onOpen: () => void;
  readonly onClose: () => void;
  /** Called for each failed trial: the reason may change during an outage, for example to a refused password. */
  readonly onTrialFailed: (error: unknown) => void;
}

export class CircuitBreaker {
  private readonly options: CircuitBreakerOptions;
  private open = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: CircuitBreakerOptions) {
    this.options = options;
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** Opens the breaker: the error of a statement shows that no primary answers. */
  trip(): void {
    if (this.open || this.stopped) return;
    this.open = true;
    this.options.onOpen();
    void this.try();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async try(): Promise<void> {
    try {
      await this.options.trial();
      if (this.stopped) return;
      this.open = false;
      this.options.onClose();
    } catch (error) {
      if (this.stopped) return;
      this.options.onTrialFailed(error);
      const delay = this.options.retryMs * (0.5 + Math.random());
      this.timer = setTimeout(() => void this.try(), delay);
      this.timer.unref();
    }
  }
}
