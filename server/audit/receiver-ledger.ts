/**
 * One receiver's account of one channel: which offsets it was owed, and what became of them. Pure: it is told what
 * happened and when; comparing the content with the history is `channel-audit.ts`.
 */
import type { Position } from '../protocol/messages.ts';
import { type OffsetRange, OffsetSet } from './offsets.ts';

/** What a receiver's messages have been found to be. Each message received counts in exactly one of the first five. */
export interface Counts {
  /** First arrival, in order. */
  inOrder: number;
  /** First arrival, but after a message with a higher offset. */
  reordered: number;
  /** Had arrived before, or lies before the position that the receiver began from. */
  duplicated: number;
  /** First arrival, after it had been given up as lost. */
  late: number;
  /** The history holds another message at this offset, or none. Filled in by `channel-audit.ts`. */
  altered: number;
  /** Owed and not arrived within the grace. */
  lost: number;
  /** Not arrived, but the receiver was told so (`recovered: false` with a reason). */
  told: number;
}

export function noCounts(): Counts {
  return { inOrder: 0, reordered: 0, duplicated: 0, late: 0, altered: 0, lost: 0, told: 0 };
}

/** Offsets that exist since `at`, so that a receiver is owed everything up to `upTo`. */
interface Debt {
  readonly upTo: number;
  readonly at: number;
}

/** Debts kept apart; beyond it the newest stands for its predecessor, which only lengthens the grace. */
const DEBTS_MAX = 1_000;

export class ReceiverLedger {
  readonly counts = noCounts();
  private epoch: string | undefined;
  /** The offset that has to come next. */
  private next = 1;
  /** Below `next`, and not arrived. */
  private readonly missing = new OffsetSet();
  private readonly given = new OffsetSet();
  private debts: Debt[] = [];
  private following = false;

  /** Newest offset that has arrived, or that was the position to begin from. */
  get position(): Position | undefined {
    return this.epoch === undefined ? undefined : { epoch: this.epoch, offset: this.next - 1 };
  }

  /** Offsets that are known to be missing now. */
  get missingNow(): number {
    return this.missing.size;
  }

  /**
   * The receiver has a place in the channel: the next message is `offset + 1`.
   * `recovered`: it was promised everything since its last position. `told`: it was told that history is missing.
   */
  begin({ epoch, offset }: Position, recovered: boolean, told: boolean): void {
    this.following = true;
    this.debts = [];
    // A promise to go on where it stopped changes nothing about what is owed.
    if (recovered && epoch === this.epoch) return;
    if (told) {
      this.counts.told += this.missing.size;
      if (epoch === this.epoch) this.counts.told += Math.max(0, offset - this.next + 1);
      this.missing.clear();
    }
    if (epoch !== this.epoch) this.given.clear();
    this.epoch = epoch;
    this.next = offset + 1;
  }

  /** The receiver is gone for now; what is committed meanwhile is owed when it comes back. */
  pause(): void {
    this.following = false;
    this.debts = [];
  }

  receive(offset: number): void {
    if (offset < this.next) {
      if (this.missing.delete(offset)) this.counts.reordered++;
      else if (this.given.delete(offset)) this.counts.late++;
      else this.counts.duplicated++;
      return;
    }
    this.missing.append(this.next, offset - 1);
    this.counts.inOrder++;
    this.next = offset + 1;
  }

  /** The history was seen to reach `top` at the time `at`. */
  owe({ epoch, offset: upTo }: Position, at: number): void {
    const newest = this.debts.at(-1);
    if (!this.following || epoch !== this.epoch || upTo <= (newest?.upTo ?? 0)) return;
    if (this.debts.length >= DEBTS_MAX) this.debts.pop();
    this.debts.push({ upTo, at });
  }

  /** Gives up as lost what has been owed since `before` or longer. @returns what that was */
  expire(before: number): OffsetRange[] {
    let upTo = 0;
    while (this.debts[0] && this.debts[0].at <= before) upTo = (this.debts.shift() as Debt).upTo;
    const lost = this.missing.takeUpTo(upTo);
    if (upTo >= this.next) lost.push({ first: this.next, last: upTo });
    this.next = Math.max(this.next, upTo + 1);
    for (const { first, last } of lost) {
      this.counts.lost += last - first + 1;
      this.given.append(first, last);
    }
    return lost;
  }

  /** Whether everything up to `top` has arrived or been accounted for. */
  isComplete({ epoch, offset }: Position): boolean {
    return epoch === this.epoch && this.missing.size === 0 && this.next > offset;
  }
}
