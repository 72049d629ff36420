/**
 * Keeps one channel's tail: opens it, passes arrivals to it, lets `gap-reader.ts` read its gaps, and reads the position again when
 * another epoch is seen. Reports when the tail has grown and when history was lost. Knows no subscriptions.
 */
import type { Backplane, Batch } from '../backplane/types.ts';
import { AppError } from '../errors.ts';
import type { ChannelTop } from '../history/types.ts';
import { GapReader, type GapReaderContext, type GapReaderEvents } from './gap-reader.ts';
import { Segment } from './segment.ts';
import type { Tail, TailLimits, TailSource } from './tail.ts';
import { type Reaction, TailState } from './tail-state.ts';
import type { TopsLoader } from './tops-loader.ts';

/** What all followers of a hub share. */
export interface TailFollowerContext extends GapReaderContext {
  readonly backplane: Backplane;
  readonly tops: TopsLoader;
  readonly limits: TailLimits;
  /** The history ends before messages of this epoch that this node holds. */
  readonly onRegression: (epoch: string) => void;
}

export interface TailFollowerEvents extends GapReaderEvents {
  /** There is a new tail, of another epoch: positions in the old one mean nothing. */
  onReset(): void;
}

export class TailFollower implements TailSource {
  private readonly name: string;
  private readonly context: TailFollowerContext;
  private readonly events: TailFollowerEvents;
  private readonly state: TailState;
  private readonly gaps: GapReader;
  private opening: Promise<void> | undefined;
  private checkingEpoch = false;
  private closed = false;

  constructor(name: string, context: TailFollowerContext, events: TailFollowerEvents) {
    this.name = name;
    this.context = context;
    this.events = events;
    this.state = new TailState(context.limits);
    this.gaps = new GapReader(name, context, this, events);
  }

  /** @throws AppError `unavailable` before `open` has succeeded */
  get tail(): Tail {
    const { tail } = this.state;
    if (!tail) throw new AppError('unavailable', `${this.name} is not open on this node; subscribe again.`);
    return tail;
  }

  get isOpen(): boolean {
    return this.state.tail !== undefined && !this.closed;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Whether the tail knows of messages that it does not hold. */
  get isBehind(): boolean {
    return this.state.tail?.need.kind === 'missing';
  }

  /** Epoch and newest offset of what this node holds; undefined until the tail is open. */
  get held(): ChannelTop | undefined {
    const { tail } = this.state;
    return tail && { epoch: tail.epoch, top: tail.top };
  }

  /** Subscribes in the backplane and reads the position, once. @throws AppError `unavailable`; the next call tries again */
  open(): Promise<void> {
    this.opening ??= this.load().catch((error: unknown) => {
      this.opening = undefined;
      throw error;
    });
    return this.opening;
  }

  private async load(): Promise<void> {
    // In this order: a message that is committed after the read is announced to a subscription that is in place.
    await this.context.backplane.subscribe(this.name);
    const read = await this.context.tops.load(this.name);
    for (const reaction of this.state.adopt(read)) this.react(reaction);
  }

  /** Messages that the backplane delivered. The backplane also delivers what this node published itself. */
  receive(batch: Batch): void {
    const { epoch, first, count, createdAt, traceparent } = batch;
    const { held } = this;
    if (held?.epoch === epoch && first + count - 1 <= held.top) return;
    let segment: Segment;
    try {
      segment = Segment.fromBody(first, count, batch.body, [createdAt], traceparent);
    } catch (error) {
      this.context.onError(`A malformed batch for ${this.name} was dropped.`, error);
      return;
    }
    this.offer(epoch, segment);
  }

  /** New messages, in any order. */
  offer(epoch: string, segment: Segment): void {
    this.react(this.state.offer(epoch, segment));
  }

  /** The history poll saw this epoch. */
  noteEpoch(epoch: string): void {
    if (this.state.tail && this.state.tail.epoch !== epoch) this.checkEpoch();
  }

  /** The history poll saw this top, in any epoch. */
  noteTop(seen: ChannelTop): void {
    this.react(this.state.noteTop(seen));
  }

  /**
   * A catch-up read a page of the current epoch that ends at `last`. The cause is `hold` and not `poll`: the announcement of
   * these messages may still be under way, so nothing is known to be unannounced.
   */
  notePageEnd(last: number): void {
    this.tail.raiseKnown(last);
    this.react('hold');
  }

  /**
   * Reads the exact position, by a read that begins now, and adopts it; a new epoch begins a new tail.
   * @throws AppError `unavailable`
   */
  async reload(): Promise<void> {
    const { held } = this;
    const read = await this.context.tops.load(this.name);
    if (held && read.epoch === held.epoch && read.top < held.top) this.context.onRegression(read.epoch);
    if (!this.isOpen) return;
    const before = this.tail;
    const reactions = this.state.adopt(read);
    if (before !== this.tail) this.events.onReset();
    for (const reaction of reactions) this.react(reaction);
  }

  close(): void {
    this.closed = true;
    this.gaps.stop();
  }

  private react(reaction: Reaction): void {
    if (reaction === 'kept') return;
    if (reaction === 'other-epoch') {
      this.checkEpoch();
      return;
    }
    if (this.tail.hasUnflushed) this.events.onGrown();
    this.gaps.schedule(reaction);
  }

  /** Another epoch was named: reads the position, unless that is under way. After a failure the next history poll asks again. */
  private checkEpoch(): void {
    if (this.checkingEpoch) return;
    this.checkingEpoch = true;
    this.reload()
      .catch((error: unknown) => this.context.onError(`The position of ${this.name} could not be read.`, error))
      .finally(() => {
        this.checkingEpoch = false;
      });
  }
}
