/**
 * Whether Postgres is away. While it is, statements are refused at once instead of each waiting for its own timeout, and
 * a single probe looks for the return. Knows no statement; what a probe is, it is told.
 */
export interface CircuitBreakerOptions {
  /** Resolves when Postgres answers and takes writes. */
  readonly probe: () => Promise<void>;
  /** Pause between two probes, milliseconds, jittered. The first one goes out at once: one broken connection is no outage. */
  readonly retryMs: number;
  readonly onOpen: () => void;
  readonly onClose: () => void;
  /** Why a probe failed: the reason may become another one meanwhile, such as a password that has changed. */
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

  /** A statement failed in a way that says that Postgres is not there. */
  trip(): void {
    if (this.open || this.stopped) return;
    this.open = true;
    this.options.onOpen();
    void this.look();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async look(): Promise<void> {
    try {
      await this.options.probe();
      if (this.stopped) return;
      this.open = false;
      this.options.onClose();
    } catch (error) {
      if (this.stopped) return;
      this.options.onProbeFailed(error);
      const delay = this.options.retryMs * (0.5 + Math.random());
      this.timer = setTimeout(() => void this.look(), delay);
      this.timer.unref();
    }
  }
}
