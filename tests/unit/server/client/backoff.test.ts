/** Backoff: doubling ceilings, full jitter, reset after a stable connection. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Backoff } from '../../../../server/client/backoff.ts';

const almostOne = 1 - Number.EPSILON;

describe('Backoff', () => {
  test('ceilings double from 1 s and stop at 30 s', () => {
    const backoff = new Backoff({}, () => almostOne);
    const waits = Array.from({ length: 8 }, () => Math.round(backoff.next()));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('spreads 10,000 clients evenly over the first second', () => {
    const waits = Array.from({ length: 10_000 }, () => new Backoff().next());
    const tenths = new Array<number>(10).fill(0);
    for (const wait of waits) tenths[Math.floor(wait / 100)] = (tenths[Math.floor(wait / 100)] ?? 0) + 1;
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });

  test('adds retry_after_ms to the jitter', () => {
    const backoff = new Backoff({}, () => 0.5);
    expect(backoff.next(5_000)).toBe(5_500);
    expect(backoff.next(-1)).toBe(1_000);
  });

  test('resets after a connection of at least stableMs, not after a shorter one', () => {
    const backoff = new Backoff({ stableMs: 10_000 }, () => almostOne);
    backoff.next();
    backoff.next();
    backoff.ended(9_999);
    expect(backoff.ceilingMs).toBe(4_000);
    backoff.ended(10_000);
    expect(backoff.ceilingMs).toBe(1_000);
  });

  test('every delay is between 0 and the ceiling, for all options and numbers of attempts', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: almostOne, noNaN: true }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 1, max: 600_000 }),
        fc.integer({ min: 1, max: 2_000 }),
        (random, baseMs, maxMs, tries) => {
          const backoff = new Backoff({ baseMs, maxMs }, () => random);
          // One `expect` for all: 100,000 of them take seven seconds.
          const waits = Array.from({ length: tries }, () => backoff.next());
          expect(waits.filter((wait) => !(wait >= 0 && wait <= maxMs))).toEqual([]);
        },
      ),
      { numRuns: 100 },
    );
  });
});
