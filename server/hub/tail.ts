/**
 * A tail: this node's own position in one channel, and a window of the messages before it. A pure state machine:
 * `tail-follower.ts` passes arrivals to it, and `gap-reader.ts` reads what it lacks.
 *
 * Invariants: the window ends at `top` and has no hole; `flushed <= top <= known`; a message stays in the window until it is
 * flushed, except when `skipTo` gives up what the history has lost.
 */
import type { Segment } from './segment.ts';

export interface TailLimits {
  readonly windowMessages: number;
  readonly windowBytes: number;
  /** Segments held that arrived ahead of a missing one. What does not fit is read from the history instead. */
  readonly aheadMax: number;
}

/** What a tail lacks. `missing`: messages after `after` have been announced or committed, and have not arrived. */
export type TailNeed = { readonly kind: 'nothing' } | { readonly kind: 'missing'; readonly after: number };

/** The tail of a channel for the parts that read for it. */
export interface TailSource {
  /** Another object after a change of epoch: compare after each wait. */
  readonly tail: Tail;
  /** Reads the position again; a new epoch replaces `tail`. @throws AppError `unavailable` */
  reload(): Promise<void>;
}

const NOTHING: TailNeed = { kind: 'nothing' };

export class Tail {
  readonly epoch: string;
  private readonly limits: TailLimits;
  private window: Segment[] = [];
  private windowSize = 0;
  private windowBytes = 0;
  private ahead: Segment[] = [];
  private currentTop: number;
  private currentFlushed: number;
  private currentKnown: number;

  /** @param top the channel's newest offset, read from the history after the backplane was subscribed */
  constructor(epoch: string, top: number, limits: TailLimits) {
    this.epoch = epoch;
    this.limits = limits;
    this.currentTop = top;
    this.currentFlushed = top;
    this.currentKnown = top;
  }

  /** Offset up to which this node has every message. */
  get top(): number {
    return this.currentTop;
  }

  /** Offset up to which live subscriptions have been written to. */
  get flushed(): number {
    return this.currentFlushed;
  }

  /** Newest offset that was announced, or seen in the history. */
  get known(): number {
    return this.currentKnown;
  }

  get need(): TailNeed {
    return this.currentKnown > this.currentTop ? { kind: 'missing', after: this.currentTop } : NOTHING;
  }

  get hasUnflushed(): boolean {
    return this.currentTop > this.currentFlushed;
  }

  /** Takes messages in any order. Duplicates are dropped; segments beyond a gap are held. */
  offer(segment: Segment): void {
    if (segment.last > this.currentKnown) this.currentKnown = segment.last;
    if (segment.last <= this.currentTop) return;
    if (segment.first > this.currentTop + 1) {
      if (this.ahead.length < this.limits.aheadMax) this.ahead.push(segment);
      return;
    }
    this.extend(segment.from(this.currentTop + 1));
    this.takeFromAhead();
    this.trim();
  }

  /** The top of the channel was seen to be at least `top`: until the tail has got there, it has a gap. */
  raiseKnown(top: number): void {
    if (top > this.currentKnown) this.currentKnown = top;
  }

  /** Repeated reads show that the history ends at `top`: forgets what was announced beyond it. */
  lowerKnown(top: number): void {
    this.ahead = this.ahead.filter((segment) => segment.last <= top);
    this.currentKnown = Math.max(this.currentTop, top);
  }

  /** Retention removed messages up to `top` before this node read them: goes on from there with an empty window. */
  skipTo(top: number): void {
    this.window = [];
    this.windowSize = 0;
    this.windowBytes = 0;
    this.currentTop = top;
    this.currentFlushed = top;
    this.raiseKnown(top);
    this.takeFromAhead();
    this.trim();
  }

  /** Returns the segments that are not flushed, and counts them as flushed. */
  flush(): Segment[] {
    const pending = this.slice(this.currentFlushed);
    this.currentFlushed = this.currentTop;
    this.trim();
    return pending;
  }

  /** Messages in the window after `offset` and up to `flushed`, or undefined when the window begins later. */
  windowAfter(offset: number): Segment[] | undefined {
    const begin = this.window[0]?.first ?? this.currentTop + 1;
    if (offset + 1 < begin) return undefined;
    return this.slice(offset).flatMap((segment) => {
      if (segment.first > this.currentFlushed) return [];
      return [segment.last > this.currentFlushed ? segment.upTo(this.currentFlushed) : segment];
    });
  }

  private slice(after: number): Segment[] {
    const index = this.window.findIndex((segment) => segment.last > after);
    if (index < 0) return [];
    const [head, ...rest] = this.window.slice(index) as [Segment, ...Segment[]];
    return [head.first <= after ? head.from(after + 1) : head, ...rest];
  }

  private extend(segment: Segment): void {
    this.window.push(segment);
    this.windowSize += segment.count;
    this.windowBytes += segment.bytes.length;
    this.currentTop = segment.last;
  }

  private takeFromAhead(): void {
    while (this.ahead.length > 0) {
      this.ahead = this.ahead.filter((segment) => segment.last > this.currentTop);
      const next = this.ahead.find((segment) => segment.first <= this.currentTop + 1);
      if (!next) return;
      this.extend(next.from(this.currentTop + 1));
    }
  }

  private trim(): void {
    const { windowMessages, windowBytes } = this.limits;
    let drop = 0;
    while (this.windowSize > windowMessages || this.windowBytes > windowBytes) {
      const oldest = this.window[drop];
      if (!oldest || oldest.last > this.currentFlushed) break;
      this.windowSize -= oldest.count;
      this.windowBytes -= oldest.bytes.length;
      drop++;
    }
    if (drop > 0) this.window.splice(0, drop);
  }
}
