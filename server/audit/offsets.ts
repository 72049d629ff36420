/** A set of offsets kept as ranges: what is missing is mostly runs, however long. */

/** Both ends included. */
export interface OffsetRange {
  readonly first: number;
  readonly last: number;
}

export class OffsetSet {
  /** Ascending, apart from each other. */
  private list: OffsetRange[] = [];
  private count = 0;

  get size(): number {
    return this.count;
  }

  get ranges(): readonly OffsetRange[] {
    return this.list;
  }

  /** Adds offsets beyond all that are in the set. Nothing when `last < first`. */
  append(first: number, last: number): void {
    if (last < first) return;
    const end = this.list.at(-1);
    this.count += last - first + 1;
    if (end?.last === first - 1) this.list[this.list.length - 1] = { first: end.first, last };
    else this.list.push({ first, last });
  }

  /** @returns whether it was in the set */
  delete(offset: number): boolean {
    const index = this.list.findIndex((range) => range.last >= offset);
    const range = this.list[index];
    if (!range || range.first > offset) return false;
    const rest = [
      { first: range.first, last: offset - 1 },
      { first: offset + 1, last: range.last },
    ].filter(({ first, last }) => first <= last);
    this.list.splice(index, 1, ...rest);
    this.count--;
    return true;
  }

  /** Takes out everything up to and including `offset`. */
  takeUpTo(offset: number): OffsetRange[] {
    const taken = this.list
      .filter((range) => range.first <= offset)
      .map(({ first, last }) => ({ first, last: Math.min(last, offset) }));
    this.list = this.list
      .filter((range) => range.last > offset)
      .map(({ first, last }) => ({ first: Math.max(first, offset + 1), last }));
    this.count -= taken.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return taken;
  }

  clear(): void {
    this.list = [];
    this.count = 0;
  }
}
