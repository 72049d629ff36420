/**
 * Detects a subscription that is connected but deaf: this node publishes to itself through Redis at an interval and counts
 * the canaries that do not arrive. Without it, a deaf subscription looks the same as a quiet one.
 */
export interface CanaryOptions {
  /** Milliseconds. */
  readonly intervalMs: number;
  /** Silence after which the subscription counts as deaf, milliseconds. */
  readonly timeoutMs: number;
  /** Publishes `payload` on a channel that this node subscribes to. */
  readonly publish: (payload: string) => void;
  readonly onDeaf: () => void;
  /** `seconds` from publishing to receiving. */
  readonly onReceived: (seconds: number) => void;
}

export class Canary {
  private readonly options: CanaryOptions;
  /**
   * Canaries published since the last one that arrived. A count instead of a time, so that a pause of the whole process
   * does not look like silence.
   */
  private missing = 0;
  private readonly missingMax: number;
  private timer: NodeJS.Timeout | undefined;
  private receivedAt = performance.now();
  private startedAt = 0;

  constructor(options: CanaryOptions) {
    this.options = options;
    this.missingMax = Math.max(1, Math.ceil(options.timeoutMs / options.intervalMs));
  }

  get isRunning(): boolean {
    return this.timer !== undefined;
  }

  /** Seconds since a canary arrived, or since this object was made. */
  get ageSeconds(): number {
    return (performance.now() - this.receivedAt) / 1000;
  }

  /** Publishes the first canary at once. */
  start(): void {
    this.stop();
    this.missing = 0;
    this.startedAt = performance.now();
    // Jitter of 10 % each way, so that nodes that started together do not publish at the same moments.
    this.timer = setInterval(() => this.tick(), this.options.intervalMs * (0.9 + Math.random() / 5));
    this.timer.unref();
    this.tick();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** A canary from before the last start is ignored: it says nothing about subscriptions made since. */
  received(payload: string): void {
    const publishedAt = Number(payload);
    if (!(publishedAt >= this.startedAt)) return;
    this.missing = 0;
    this.receivedAt = performance.now();
    this.options.onReceived((this.receivedAt - publishedAt) / 1000);
  }

  private tick(): void {
    if (this.missing >= this.missingMax) {
      this.stop();
      this.options.onDeaf();
      return;
    }
    this.missing++;
    this.options.publish(String(performance.now()));
  }
}
