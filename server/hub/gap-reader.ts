/**
 * Reads from the history the messages that a tail lacks, one page at a time, until it lacks none. Never writes to
 * subscriptions: it changes the tail and reports.
 */
import type { Backplane } from '../backplane/types.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import type { Pages } from './pages.ts';
import { retryDelay } from './retry-delay.ts';
import type { Tail, TailSource } from './tail.ts';
import type { GapCause } from './tail-state.ts';

export interface GapReaderContext {
  readonly backplane: Pick<Backplane, 'isUp'>;
  readonly pages: Pages;
  readonly clock: Clock;
  /** Wait before a read while the backplane is up, milliseconds: a late message makes the read unnecessary. */
  readonly gapHoldMs: number;
  readonly metrics: Metrics;
  readonly onError: (message: string, error: unknown) => void;
}

export interface GapReaderEvents {
  /** The tail has messages that are not flushed. */
  onGrown(): void;
  /** The tail went on from a later offset, because retention removed the messages in between. */
  onSkipped(): void;
}

/** Reads without a result before an announced top is dropped: the history does not contain those messages. */
const FRUITLESS_READS_MAX = 3;

export class GapReader {
  private readonly channel: string;
  private readonly context: GapReaderContext;
  private readonly source: TailSource;
  private readonly events: GapReaderEvents;
  private reading = false;
  private stopped = false;

  constructor(channel: string, context: GapReaderContext, source: TailSource, events: GapReaderEvents) {
    this.channel = channel;
    this.context = context;
    this.source = source;
    this.events = events;
  }

  /** Schedules a read if the tail lacks messages and no read is scheduled or in flight. */
  schedule(cause: GapCause): void {
    if (this.reading || this.source.tail.need.kind === 'nothing') return;
    this.reading = true;
    const { backplane, clock, gapHoldMs } = this.context;
    const run = () => void this.run(cause);
    if (backplane.isUp) clock.later(gapHoldMs, run);
    else clock.soon(run);
  }

  stop(): void {
    this.stopped = true;
  }

  private async run(cause: GapCause): Promise<void> {
    if (this.isNeeded) this.context.metrics.add('holdfast.gaps', 1, { cause });
    let fruitless = 0;
    while (this.isNeeded) fruitless = await this.step(fruitless);
    // Must follow the check without a wait: `schedule` ignores a gap that opens while `reading` is set.
    this.reading = false;
    if (!this.stopped && this.source.tail.hasUnflushed) this.events.onGrown();
  }

  private get isNeeded(): boolean {
    return !this.stopped && this.source.tail.need.kind === 'missing';
  }

  /** One read, and a pause if it brought nothing. @returns how many reads in a row have brought nothing */
  private async step(fruitless: number): Promise<number> {
    const { tail } = this.source;
    try {
      if (await this.readOnce(tail, tail.top)) return 0;
      if (fruitless + 1 >= FRUITLESS_READS_MAX) this.dropAnnouncement(tail);
      else await this.pause(this.context.gapHoldMs);
      return fruitless + 1;
    } catch (error) {
      this.context.onError(`A gap of ${this.channel} could not be read; the node retries.`, error);
      await this.pause(retryDelay());
      return fruitless;
    }
  }

  /** @returns whether the tail advanced, by this read or otherwise */
  private async readOnce(tail: Tail, after: number): Promise<boolean> {
    const page = await this.context.pages.after(this.channel, tail.epoch, after);
    // The tail was replaced, or grew during the read: the answer may be outdated.
    if (this.stopped || tail !== this.source.tail || tail.top !== after) return true;
    if (page.epoch !== tail.epoch) {
      await this.source.reload();
      return tail !== this.source.tail;
    }
    if (page.lost) {
      tail.skipTo(page.top);
      this.events.onSkipped();
      return true;
    }
    tail.raiseKnown(page.top);
    if (page.segment) tail.offer(page.segment);
    if (tail.hasUnflushed) this.events.onGrown();
    return tail.top > after;
  }

  private dropAnnouncement(tail: Tail): void {
    this.context.onError(
      `${this.channel} was announced beyond the end of its history; the announcement is ignored.`,
      undefined,
    );
    tail.lowerKnown(tail.top);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.context.clock.later(ms, resolve));
  }
}
