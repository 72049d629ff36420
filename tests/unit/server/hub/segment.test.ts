/** Segments cut into pieces: the same bytes, in order, each piece within its size. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Segment, toPieces } from '../../../../server/hub/segment.ts';
import { decodeFrames } from '../../../support/simulated-client.ts';

function segment(first: number, sizes: readonly number[]): Segment {
  const body = Buffer.from(sizes.map((size, i) => String((first + i) % 10).repeat(size)).join('\n'));
  return Segment.fromBody(first, sizes.length, body, [0]);
}

test('pieces hold all frames in order, within their size limit, and know their last offset', () => {
  const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 1_000 }), (lists, max) => {
      let next = 1;
      const segments = lists.map((list) => {
        const made = segment(next, list);
        next += list.length;
        return made;
      });
      const pieces = toPieces(segments, max);
      const whole = Buffer.concat(segments.map(({ bytes }) => bytes));
      // `toEqual` compares buffers byte by byte, which takes seconds here.
      expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).equals(whole)).toBe(true);
      expect(pieces.at(-1)?.last).toBe(next - 1);
      let from = 0;
      for (const { bytes, last } of pieces) {
        expect(last).toBeGreaterThan(from);
        // Over the size only when it is a single message.
        if (bytes.length > max) expect(last).toBe(from + 1);
        from = last;
      }
      // No piece is cut earlier than it had to be.
      expect(pieces.length).toBeLessThanOrEqual(next - 1);
      if (segments.reduce((sum, { bytes }) => sum + bytes.length, 0) <= max) expect(pieces).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});

test('a single segment that fits is not copied', () => {
  const only = segment(5, [10, 20]);
  expect(toPieces([only], 1_000)[0]?.bytes).toBe(only.bytes);
  expect(toPieces([], 1_000)).toEqual([]);
});

test('a slice of a segment has the commit times of its own messages', () => {
  const body = Buffer.from('1\n2\n3\n4');
  const page = Segment.fromBody(11, 4, body, [100, 200, 200, 400]);
  expect([page.oldest, page.newest]).toEqual([100, 400]);
  expect([page.from(12).oldest, page.from(14).oldest]).toEqual([200, 400]);
  expect([page.upTo(12).oldest, page.upTo(12).newest]).toEqual([100, 200]);
  const commit = Segment.fromBody(11, 4, body, [100]);
  expect([commit.from(13).oldest, commit.upTo(12).newest]).toEqual([100, 100]);
});

test('the texts of a node’s own commit and the body that other nodes receive become the same frames', () => {
  const texts = ['{"data":"ä€😀"}', '""', `"${'x'.repeat(200)}"`, `"${'y'.repeat(70_000)}"`];
  const own = Segment.fromTexts(7, texts, [100]);
  const received = Segment.fromBody(7, texts.length, Buffer.from(texts.join('\n')), [100]);
  expect(own).toEqual(received);
  expect(decodeFrames(own.bytes)).toEqual(texts);
});
