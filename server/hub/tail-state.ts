/**
 * What a node knows of one channel: first only what arrived early, then a tail. Pure: says what has to happen after each
 * arrival. `tail-follower.ts` and `gap-reader.ts` read and wait.
 *
 * Without a tail (the position is still being read), the newest segments are kept. A top of another epoch than that of the
 * tail is kept until a tail of its epoch begins, because the history poll does not report the same top again.
 */
import type { ChannelTop } from '../history/types.ts';
import type { Segment } from './segment.ts';
import { Tail, type TailLimits } from './tail.ts';

/**
 * Why a tail may lack messages. `hold`: a segment arrived, or a catch-up read messages beyond the tail. `poll`: the history
 * poll saw a top. `reload`: the position was read again.
 */
export type GapCause = 'hold' | 'poll' | 'reload';

/** `kept`: nothing to do until there is a tail. `other-epoch`: read the position. A cause: the tail may have grown or lack messages. */
export type Reaction = 'kept' | 'other-epoch' | GapCause;

interface Arrival {
  readonly epoch: string;
  readonly segment: Segment;
}

/** Segments kept while there is no tail. What an overflow drops is a gap, and is read from the history. */
const EARLY_MAX = 64;

export class TailState {
  private readonly limits: TailLimits;
  private current: Tail | undefined;
  private early: Arrival[] = [];
  private noted: ChannelTop | undefined;

  constructor(limits: TailLimits) {
    this.limits = limits;
  }

  get tail(): Tail | undefined {
    return this.current;
  }

  /** New messages arrived. */
  offer(epoch: string, segment: Segment): Reaction {
    if (!this.current) {
      this.early.push({ epoch, segment });
      if (this.early.length > EARLY_MAX) this.early.shift();
      return 'kept';
    }
    if (epoch !== this.current.epoch) return 'other-epoch';
    this.current.offer(segment);
    return 'hold';
  }

  /** The history poll saw this top. */
  noteTop({ epoch, top }: ChannelTop): Reaction {
    if (this.current?.epoch === epoch) {
      this.current.raiseKnown(top);
      return 'poll';
    }
    // A position that is being read may be older than this top.
    if (this.noted?.epoch !== epoch || top > this.noted.top) this.noted = { epoch, top };
    return this.current ? 'other-epoch' : 'kept';
  }

  /** The position was read. Another epoch, or the first position, begins a new tail, which takes what was kept. */
  adopt({ epoch, top }: ChannelTop): readonly Reaction[] {
    if (this.current?.epoch === epoch) {
      this.current.raiseKnown(top);
      return ['reload'];
    }
    this.current = new Tail(epoch, top, this.limits);
    const { early, noted } = this;
    this.early = [];
    this.noted = undefined;
    const reactions = early.map((arrival) => this.offer(arrival.epoch, arrival.segment));
    return noted ? [...reactions, this.noteTop(noted)] : reactions;
  }
}
