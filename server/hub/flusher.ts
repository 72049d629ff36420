/**
 * Decides when fan-out happens. On a quiet node: at the end of the event-loop turn, so that one message waits for nothing. On a
 * busy node: after a pause as long as the last flush took, so that each socket gets one write for many messages.
 */
import type { Clock } from './clock.ts';

export interface Flushable {
  flush(): void;
}

export interface FlusherOptions {
  readonly clock: Clock;
  /** Longest pause between two flushes, milliseconds. */
  readonly intervalMaxMs: number;
  /** Duration of a flush over all marked items, in seconds. */
  readonly onFlushed: (seconds: number) => void;
}

export class Flusher {
  private readonly options: FlusherOptions;
  private marked = new Set<Flushable>();
  private scheduled = false;
  private notBefore = 0;

  constructor(options: FlusherOptions) {
    this.options = options;
  }

  /** Has `item` flushed at the next flush. */
  mark(item: Flushable): void {
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
    for (const item of items) item.flush();
    const end = this.options.clock.now();
    const cost = end - begin;
    // Flushes up to `intervalMaxMs` long take at most half of the time. Longer ones take more, because the pause is capped.
    this.notBefore = end + Math.min(cost, this.options.intervalMaxMs);
    this.options.onFlushed(cost / 1000);
  }
}
