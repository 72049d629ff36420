/**
 * Keeps one channel's tail: opens it, gives it what arrives, and reads what it lacks. Tells its channel when the tail has
 * grown, and when history was lost on the way. Knows no subscriptions.
 */
import type { Backplane, Batch } from '../backplane/types.ts';
import { AppError } from '../errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import type { Pages } from './pages.ts';
import { Segment } from './segment.ts';
import { Tail, type TailLimits } from './tail.ts';
import type { ChannelTop, TopsLoader } from './tops-loader.ts';

/** What all feeds of a hub share. */
export interface TailFollowerContext {
  readonly backplane: Backplane;
  readonly pages: Pages;
  readonly tops: TopsLoader;
  readonly clock: Clock;
  readonly limits: TailLimits;
  /** How long to wait for what is missing before reading it, while the backplane is up. Milliseconds. */
  readonly gapHoldMs: number;
  readonly metrics: Metrics;
  /** The history ends before what this node has got in this epoch. */
  readonly onRegression: (epoch: string) => void;
  readonly onError: (message: string, error: unknown) => void;
}

export interface TailFollowerEvents {
  /** The tail has messages that are not flushed. */
  onGrown(): void;
  /** There is a new tail, of another epoch: positions in the old one mean nothing. */
  onReset(): void;
  /** The tail went on from a later offset, because the history in between is gone. */
  onSkipped(): void;
}

/** Batches kept while the tail's position is still being read; a hole that an overflow leaves is read from the history. */
const EARLY_MAX = 64;
/** Reads that bring nothing before an announcement is disbelieved. */
const FRUITLESS_READS_MAX = 3;

/** Pause before reading again after the history failed: 0.25 to 1 s, jittered so that channels do not retry in step. Milliseconds. */
export const retryDelay = () => 250 + Math.random() * 750;

/** What made a tail look for missing messages. */
type GapCause = 'hold' | 'poll' | 'reload';

export class TailFollower {
  private readonly name: string;
  private readonly context: TailFollowerContext;
  private readonly events: TailFollowerEvents;
  private current: Tail | undefined;
  private opening: Promise<void> | undefined;
  private early: Batch[] = [];
  /** What a check has seen of this channel while there was no tail of that epoch: the check will not name it again. */
  private noted: ChannelTop | undefined;
  private filling = false;
  private suspecting = false;
  private closed = false;
  /** Position reads begun, and the newest of them that was adopted. */
  private reloads = 0;
  private adopted = 0;

  constructor(name: string, context: TailFollowerContext, events: TailFollowerEvents) {
    this.name = name;
    this.context = context;
    this.events = events;
  }

  /** @throws AppError `unavailable` before `open` has succeeded */
  get tail(): Tail {
    if (!this.current) throw new AppError('unavailable', `${this.name} is not open on this node; subscribe again.`);
    return this.current;
  }

  get isOpen(): boolean {
    return this.current !== undefined;
  }

  /** Subscribes in the backplane and reads the position; once. @throws AppError `unavailable`; the next call tries again */
  open(): Promise<void> {
    this.opening ??= this.loadTail().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  private async loadTail(): Promise<void> {
    // In this order: a message committed after the read is announced to a subscription that stands already.
    await this.context.backplane.subscribe(this.name);
    const { epoch, top } = await this.context.tops.load(this.name);
    this.current = new Tail(epoch, top, this.context.limits);
    const early = this.early;
    this.early = [];
    for (const batch of early) this.offer(batch);
    this.applyNoted();
  }

  /** New messages, from this node's own commit or from the backplane. */
  offer(batch: Batch): void {
    if (!this.current) {
      this.early.push(batch);
      if (this.early.length > EARLY_MAX) this.early.shift();
      return;
    }
    if (batch.epoch !== this.current.epoch) {
      this.suspectEpoch();
      return;
    }
    if (batch.first + batch.count - 1 <= this.current.top) return;
    try {
      this.current.offer(Segment.fromBody(batch.first, batch.count, batch.body, [batch.createdAt], batch.traceparent));
    } catch (error) {
      this.context.onError(`A malformed batch for ${this.name} was dropped.`, error);
    }
    this.act('hold');
  }

  /** The history's epoch was seen by a check. */
  noteEpoch(epoch: string): void {
    if (this.current && this.current.epoch !== epoch) this.suspectEpoch();
  }

  /** The history's top was seen by a check. */
  noteTop(epoch: string, top: number): void {
    if (this.current?.epoch === epoch) {
      this.current.noteTop(top);
      this.act('poll');
      return;
    }
    // A position that is being read may be older than this check.
    if (this.noted?.epoch !== epoch || top > this.noted.top) this.noted = { epoch, top };
    if (this.current) this.suspectEpoch();
  }

  /** The history is known to reach `top`, and this tail has to follow. */
  follow(top: number): void {
    this.tail.noteTop(top);
    this.act('hold');
  }

  /**
   * Reads the exact position, by a read that begins now, and adopts it; a new epoch begins a new tail.
   * @throws AppError `unavailable`
   */
  async reload(): Promise<void> {
    const turn = ++this.reloads;
    const before = this.current;
    const held = before?.top ?? 0;
    const top = await this.context.tops.load(this.name);
    if (top.epoch === before?.epoch && top.top < held) this.context.onRegression(top.epoch);
    // Answers may overtake each other; an older one must not bring back an old epoch.
    if (turn < this.adopted) return;
    this.adopted = turn;
    this.adopt(top);
  }

  close(): void {
    this.closed = true;
  }

  /** An epoch was named that is not this tail's: look, unless a look is under way. The next check of the hub asks again. */
  private suspectEpoch(): void {
    if (this.suspecting) return;
    this.suspecting = true;
    this.reload()
      .catch((error: unknown) => this.context.onError(`The position of ${this.name} could not be read.`, error))
      .finally(() => {
        this.suspecting = false;
      });
  }

  private adopt({ epoch, top }: ChannelTop): void {
    if (!this.current || this.closed) return;
    if (epoch === this.current.epoch) {
      this.current.noteTop(top);
      this.act('reload');
      return;
    }
    this.current = new Tail(epoch, top, this.context.limits);
    this.events.onReset();
    this.applyNoted();
  }

  private applyNoted(): void {
    const { noted } = this;
    this.noted = undefined;
    if (noted) this.noteTop(noted.epoch, noted.top);
  }

  private act(cause: GapCause): void {
    const tail = this.tail;
    if (tail.hasUnflushed) this.events.onGrown();
    if (tail.need.kind === 'nothing' || this.filling) return;
    this.filling = true;
    const fill = () => void this.fill(cause);
    if (this.context.backplane.isUp) this.context.clock.later(this.context.gapHoldMs, fill);
    else this.context.clock.soon(fill);
  }

  /** Reads what the tail lacks, until it lacks nothing. */
  private async fill(cause: GapCause): Promise<void> {
    let fruitless = 0;
    let counted = false;
    while (!this.closed) {
      const tail = this.tail;
      if (tail.need.kind === 'nothing') break;
      if (!counted) this.context.metrics.add('holdfast.gaps', 1, { cause });
      counted = true;
      try {
        const grew = await this.fillOnce(tail, tail.need.after);
        if (grew) fruitless = 0;
        else if (++fruitless >= FRUITLESS_READS_MAX) this.disbelieve(tail);
        else await this.pause(this.context.gapHoldMs);
      } catch (error) {
        this.context.onError(`A gap of ${this.name} could not be read yet.`, error);
        await this.pause(retryDelay());
      }
    }
    this.filling = false;
    if (!this.closed && this.tail.hasUnflushed) this.events.onGrown();
  }

  /** @returns whether the read brought anything */
  private async fillOnce(tail: Tail, after: number): Promise<boolean> {
    const page = await this.context.pages.after(this.name, tail.epoch, after);
    // Something arrived meanwhile: what this read found missing may not be.
    if (this.closed || tail !== this.current || tail.top !== after) return true;
    if (page.epoch !== tail.epoch) {
      await this.reload();
      return tail !== this.current;
    }
    if (page.lost) {
      tail.skipTo(page.top);
      this.events.onSkipped();
      return true;
    }
    tail.noteTop(page.top);
    if (page.segment) tail.offer(page.segment);
    if (tail.hasUnflushed) this.events.onGrown();
    return tail.top > after;
  }

  /** What was announced is not in the history, however often one looks: a stray payload, not a message. */
  private disbelieve(tail: Tail): void {
    this.context.onError(`${this.name} was announced beyond its history; ignored.`, undefined);
    tail.confirmTop(tail.top);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.context.clock.later(ms, resolve));
  }
}
