/**
 * Whether Postgres is away. While it is, statements are refused at once instead of each waiting for its own timeout, and
 * a single probe looks for the return. Knows no statement; what a probe is, it is told.
 */
export interface OutageOptions {
  /** Resolves when Postgres answers and takes writes. */
  readonly probe: () => Promise<void>;
  /** Pause between two probes, milliseconds, jittered. The first one goes out at once: one broken connection is no outage. */
  readonly retryMs: number;
  readonly onBegin: () => void;
  readonly onEnd: () => void;
  /** Why a probe failed: the reason may become another one meanwhile, such as a password that has changed. */
  readonly onProbeFailed: (error: unknown) => void;
}

export class Outage {
  private readonly options: OutageOptions;
  private on = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: OutageOptions) {
    this.options = options;
  }

  get isOn(): boolean {
    return this.on;
  }

  /** A statement failed in a way that says that Postgres is not there. */
  begin(): void {
    if (this.on || this.stopped) return;
    this.on = true;
    this.options.onBegin();
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
      this.on = false;
      this.options.onEnd();
    } catch (error) {
      if (this.stopped) return;
      this.options.onProbeFailed(error);
      const delay = this.options.retryMs * (0.5 + Math.random());
      this.timer = setTimeout(() => void this.look(), delay);
      this.timer.unref();
    }
  }
}
