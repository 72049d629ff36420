/** A set of offsets, stored as ranges: missing offsets are mostly consecutive, however many there are. */

/** Both ends are included. */
export interface OffsetRange {
  readonly first: number;
  readonly last: number;
}

export class OffsetSet {
  /** Ascending; adjacent ranges are joined when they are appended. */
  private ranges: OffsetRange[] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Adds the offsets `first` to `last`, which must be above all in the set. Adds nothing when `last < first`. */
  append(first: number, last: number): void {
    if (last < first) return;
    const end = this.ranges.at(-1);
    this.count += last - first + 1;
    if (end?.last === first - 1) this.ranges[this.ranges.length - 1] = { first: end.first, last };
    else this.ranges.push({ first, last });
  }

  /** @returns whether the offset was in the set */
  delete(offset: number): boolean {
    const index = this.ranges.findIndex((range) => range.last >= offset);
    const range = this.ranges[index];
    if (!range || range.first > offset) return false;
    const rest = [
      { first: range.first, last: offset - 1 },
      { first: offset + 1, last: range.last },
    ].filter(({ first, last }) => first <= last);
    this.ranges.splice(index, 1, ...rest);
    this.count--;
    return true;
  }

  /** Removes all offsets up to and including `offset`, and returns them. */
  takeUpTo(offset: number): OffsetRange[] {
    const taken = this.ranges
      .filter((range) => range.first <= offset)
      .map(({ first, last }) => ({ first, last: Math.min(last, offset) }));
    this.ranges = this.ranges
      .filter((range) => range.last > offset)
      .map(({ first, last }) => ({ first: Math.max(first, offset + 1), last }));
    this.count -= taken.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return taken;
  }

  clear(): void {
    this.ranges = [];
    this.count = 0;
  }
}
