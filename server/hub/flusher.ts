/**
 * When fan-out happens: at the end of the event-loop turn while the node is quiet, so that one message costs no delay;
 * while it is busy, at a pace set by what a flush costs, so that messages gather and each socket gets one write for many.
 */
import type { Clock } from './clock.ts';

export interface FlusherOptions<T> {
  readonly clock: Clock;
  readonly flush: (item: T) => void;
  /** Longest pause between two flushes, milliseconds. */
  readonly intervalMaxMs: number;
  /** Duration of a flush over all marked items, in seconds. */
  readonly onFlushed: (seconds: number) => void;
}

export class Flusher<T> {
  private readonly options: FlusherOptions<T>;
  private marked = new Set<T>();
  private scheduled = false;
  private notBefore = 0;

  constructor(options: FlusherOptions<T>) {
    this.options = options;
  }

  /** Asks for a flush of `item`, soon. */
  mark(item: T): void {
    this.marked.add(item);
    if (this.scheduled) return;
    this.scheduled = true;
    const { clock } = this.options;
    const pause = this.notBefore - clock.now();
    if (pause < 1) clock.soon(() => this.run());
    else clock.later(pause, () => this.run());
  }

  private run(): void {
    const begin = this.options.clock.now();
    const items = this.marked;
    this.marked = new Set();
    this.scheduled = false;
    for (const item of items) this.options.flush(item);
    const end = this.options.clock.now();
    const cost = end - begin;
    // As long a pause as the flush took: fan-out gets at most half of the process, the rest reads and commits.
    this.notBefore = end + Math.min(cost, this.options.intervalMaxMs);
    this.options.onFlushed(cost / 1000);
  }
}
