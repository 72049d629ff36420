/**
 * What one receiver should get from one channel, and what it got. Pure: the auditor reports events and times to it. It
 * compares offsets only; `channel-audit.ts` compares the content.
 */
import type { Position } from '../protocol/messages.ts';
import { type OffsetRange, OffsetSet } from './offsets.ts';

/** Messages of a receiver by what became of them. Each message received counts in exactly one of the first four. */
export interface DeliveryCounts {
  /** First arrival, with a higher offset than all before. */
  inOrder: number;
  /** First arrival, after a message with a higher offset. */
  reordered: number;
  /** Arrived before, or is at or before the position from which the receiver began. */
  duplicated: number;
  /** First arrival, after it was counted as lost. */
  late: number;
  /** Did not arrive within the grace period. */
  lost: number;
  /** Did not arrive, and the server said so: `recovered: false` with a reason. */
  declaredLost: number;
}

export function emptyCounts(): DeliveryCounts {
  return { inOrder: 0, reordered: 0, duplicated: 0, late: 0, lost: 0, declaredLost: 0 };
}

/** The history was seen to reach `offset` at the time `at`: a connected receiver should soon have everything up to it. */
interface ObservedTop {
  readonly offset: number;
  readonly at: number;
}

/** Observed tops kept. Beyond it the newest replaces the one before, which only lengthens the grace period. */
const TOPS_MAX = 1_000;

export class ReceiverLedger {
  readonly counts = emptyCounts();
  private epoch: string | undefined;
  /** The offset after the highest that arrived. */
  private next = 1;
  /** Offsets below `next` that have not arrived. */
  private readonly missing = new OffsetSet();
  /** Offsets that were counted as lost. */
  private readonly lost = new OffsetSet();
  /** Tops whose grace period is not over, oldest first. */
  private tops: ObservedTop[] = [];
  private connected = false;

  /** The highest offset that arrived, or the position from which the receiver began. */
  get position(): Position | undefined {
    return this.epoch === undefined ? undefined : { epoch: this.epoch, offset: this.next - 1 };
  }

  /**
   * The receiver was subscribed: its next message should be `offset + 1`.
   * @param recovered the server promised everything after the last position of the receiver
   * @param declaredLost the server said that history is missing
   */
  subscribed({ epoch, offset }: Position, recovered: boolean, declaredLost: boolean): void {
    this.connected = true;
    this.tops = [];
    // After a recovery the receiver should get the same messages as without the disconnect.
    if (recovered && epoch === this.epoch) return;
    if (declaredLost) {
      this.counts.declaredLost += this.missing.size;
      if (epoch === this.epoch) this.counts.declaredLost += Math.max(0, offset - this.next + 1);
      this.missing.clear();
    }
    if (epoch !== this.epoch) this.lost.clear();
    this.epoch = epoch;
    this.next = offset + 1;
  }

  /** The receiver lost its connection. What is committed from now on counts only after it is subscribed again. */
  disconnected(): void {
    this.connected = false;
    this.tops = [];
  }

  received(offset: number): void {
    if (offset < this.next) {
      if (this.missing.delete(offset)) this.counts.reordered++;
      else if (this.lost.delete(offset)) this.counts.late++;
      else this.counts.duplicated++;
      return;
    }
    this.missing.append(this.next, offset - 1);
    this.counts.inOrder++;
    this.next = offset + 1;
  }

  /** The history was seen to reach this position at the time `at`. */
  noteTop({ epoch, offset }: Position, at: number): void {
    const newest = this.tops.at(-1);
    if (!this.connected || epoch !== this.epoch || offset <= (newest?.offset ?? 0)) return;
    if (this.tops.length >= TOPS_MAX) this.tops.pop();
    this.tops.push({ offset, at });
  }

  /**
   * Counts as lost what has not arrived although the history had it at the time `before`.
   * @returns the offsets that were counted
   */
  expire(before: number): OffsetRange[] {
    let upTo = 0;
    while (this.tops[0] && this.tops[0].at <= before) upTo = (this.tops.shift() as ObservedTop).offset;
    const expired = this.missing.takeUpTo(upTo);
    if (upTo >= this.next) expired.push({ first: this.next, last: upTo });
    this.next = Math.max(this.next, upTo + 1);
    for (const { first, last } of expired) {
      this.counts.lost += last - first + 1;
      this.lost.append(first, last);
    }
    return expired;
  }

  /** Whether every message up to this position has arrived or was counted as lost. */
  isComplete({ epoch, offset }: Position): boolean {
    return epoch === this.epoch && this.missing.size === 0 && this.next > offset;
  }
}
