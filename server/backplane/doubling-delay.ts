/** A delay that doubles from a minimum to a maximum. Pure: the owner runs the timer. */
export class DoublingDelay {
  private readonly minMs: number;
  private readonly maxMs: number;
  private currentMs: number;

  constructor(minMs: number, maxMs: number) {
    this.minMs = minMs;
    this.maxMs = maxMs;
    this.currentMs = minMs;
  }

  /** Milliseconds. */
  get ms(): number {
    return this.currentMs;
  }

  double(): void {
    this.currentMs = Math.min(2 * this.currentMs, this.maxMs);
  }

  reset(): void {
    this.currentMs = this.minMs;
  }
}
