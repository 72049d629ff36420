/** A tail against a simple model: for segments in any order, it has a prefix without holes and reports what is missing. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Segment } from '../../../../server/hub/segment.ts';
import { Tail } from '../../../../server/hub/tail.ts';
import { decodeFrames } from '../../../support/simulated-client.ts';

const segment = (first: number, count: number) =>
  Segment.fromBody(
    first,
    count,
    Buffer.from(Array.from({ length: count }, (_, i) => String(first + i)).join('\n')),
    [0],
  );
const offsets = (segments: readonly Segment[]) => segments.flatMap((part) => decodeFrames(part.bytes).map(Number));
const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);

/** Checks the state of a tail after all offsets in `offered` have arrived. */
function expectPrefix(tail: Tail, offered: ReadonlySet<number>): void {
  let top = 0;
  while (offered.has(top + 1)) top++;
  expect(tail.top).toBe(top);
  expect(tail.need).toEqual(Math.max(0, ...offered) > top ? { kind: 'missing', after: top } : { kind: 'nothing' });
}

test('segments of any size and order, repeated and overlapping, are flushed once and in order, and gaps are reported', () => {
  const piece = fc.record({
    first: fc.integer({ min: 1, max: 60 }),
    count: fc.integer({ min: 1, max: 9 }),
    flush: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 0, max: 12 }),
      (pieces, windowMessages) => {
        const tail = new Tail('e', 0, { windowMessages, windowBytes: 10_000, aheadMax: 1_000 });
        const offered = new Set<number>();
        const flushed: number[] = [];
        for (const { first, count, flush } of pieces) {
          tail.offer(segment(first, count));
          for (const offset of range(first, first + count - 1)) offered.add(offset);
          expectPrefix(tail, offered);
          if (flush) flushed.push(...offsets(tail.flush()));
          expect(flushed).toEqual(range(1, tail.flushed));
        }
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 500) },
  );
});

test('the window returns all messages after an offset, or none', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }),
      fc.integer({ min: 0, max: 12 }),
      (sizes, windowMessages) => {
        const tail = new Tail('e', 0, { windowMessages, windowBytes: 10_000, aheadMax: 10 });
        for (const size of sizes) {
          tail.offer(segment(tail.top + 1, size));
          tail.flush();
        }
        for (const after of range(0, tail.top)) {
          const segments = tail.windowAfter(after);
          if (segments) expect(offsets(segments)).toEqual(range(after + 1, tail.top));
          // Whole segments are kept or dropped; the largest has five messages.
          else expect(tail.top - after).toBeGreaterThan(windowMessages - 5);
        }
      },
    ),
  );
});

test('messages before the window have to be read from the history', () => {
  const tail = new Tail('e', 10, { windowMessages: 5, windowBytes: 10_000, aheadMax: 10 });
  expect(tail.windowAfter(9)).toBeUndefined();
  for (let first = 11; first <= 30; first++) {
    tail.offer(segment(first, 1));
    tail.flush();
  }
  expect(offsets(tail.windowAfter(25) ?? [])).toEqual([26, 27, 28, 29, 30]);
  expect(tail.windowAfter(24)).toBeUndefined();
});

test('a body with fewer messages than its header says is rejected', () => {
  expect(() => Segment.fromBody(1, 3, Buffer.from('1\n2'), [0])).toThrow(RangeError);
});

test('segments are cut where messages end', () => {
  const whole = segment(5, 6);
  expect(offsets([whole.from(7)])).toEqual([7, 8, 9, 10]);
  expect(offsets([whole.upTo(7)])).toEqual([5, 6, 7]);
  expect(offsets([whole.from(6).upTo(9).from(8)])).toEqual([8, 9]);
  expect([whole.from(7).first, whole.from(7).last, whole.upTo(7).last]).toEqual([7, 10, 7]);
});
