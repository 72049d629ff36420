/**
 * A canary through Redis: this node publishes to itself and listens for it. A subscription that is connected but deaf
 * looks just like a quiet one; a silent canary tells them apart.
 */
export interface CanaryOptions {
  readonly intervalMs: number;
  /** Silence after which the subscription counts as deaf, milliseconds. */
  readonly timeoutMs: number;
  /** Publishes `song()` to where this node listens. */
  readonly sing: () => void;
  readonly onDeaf: () => void;
  /** From singing to hearing, in seconds. */
  readonly onHeard: (seconds: number) => void;
}

export class Canary {
  private readonly options: CanaryOptions;
  /** Songs sent since one was heard. Counted instead of timed: after a pause of the whole process nothing is late. */
  private unheard = 0;
  private readonly unheardMax: number;
  private timer: NodeJS.Timeout | undefined;
  private heardAt = performance.now();
  private startedAt = 0;

  constructor(options: CanaryOptions) {
    this.options = options;
    this.unheardMax = Math.max(1, Math.ceil(options.timeoutMs / options.intervalMs));
  }

  /** Seconds since one was heard. */
  get ageSeconds(): number {
    return (performance.now() - this.heardAt) / 1000;
  }

  /** Begins to sing; the first one at once. */
  start(): void {
    this.stop();
    this.unheard = 0;
    this.startedAt = performance.now();
    // Jitter, so that the nodes of a cluster do not sing in step.
    this.timer = setInterval(() => this.beat(), this.options.intervalMs * (0.9 + Math.random() / 5));
    this.timer.unref();
    this.beat();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What to publish: the time of now. */
  song(): string {
    return String(performance.now());
  }

  /** One that was sung before the last start proves nothing of what was built since. */
  heard(song: string): void {
    const sungAt = Number(song);
    if (!(sungAt >= this.startedAt)) return;
    this.unheard = 0;
    this.heardAt = performance.now();
    this.options.onHeard((this.heardAt - sungAt) / 1000);
  }

  private beat(): void {
    if (this.unheard >= this.unheardMax) {
      this.stop();
      this.options.onDeaf();
      return;
    }
    this.unheard++;
    this.options.sing();
  }
}
