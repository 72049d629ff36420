/**
 * Circuit breaker for Postgres. While it is open, statements are refused at once instead of each waiting for its timeout, and one
 * probe at a time checks whether Postgres is back. Knows no statement: the probe is an option.
 */
export interface CircuitBreakerOptions {
  /** Resolves when Postgres answers and takes writes. */
  readonly probe: () => Promise<void>;
  /** Pause between two probes, milliseconds; jitter is 50 %. The first probe runs at once: one broken connection is no outage. */
  readonly retryMs: number;
  readonly onOpen: () => void;
  readonly onClose: () => void;
  /** Called for each failed probe: the reason may change during an outage, for example to a refused password. */
  readonly onProbeFailed: (error: unknown) => void;
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
    void this.probe();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async probe(): Promise<void> {
    try {
      await this.options.probe();
      if (this.stopped) return;
      this.open = false;
      this.options.onClose();
    } catch (error) {
      if (this.stopped) return;
      this.options.onProbeFailed(error);
      const delay = this.options.retryMs * (0.5 + Math.random());
      this.timer = setTimeout(() => void this.probe(), delay);
      this.timer.unref();
    }
  }
}
