/**
 * A run of consecutive messages of one channel, as the bytes that go to sockets. Tails and pages hold segments, and fan-out
 * writes them. Immutable; slices share memory.
 */
import { headerLength, writeHeader } from '../protocol/frame.ts';

const NEWLINE = 0x0a;

export class Segment {
  /** Offset of the first message. */
  readonly first: number;
  /** WebSocket frames of all messages, concatenated. */
  readonly bytes: Buffer;
  /** Where each message's frame ends in `bytes`. */
  private readonly ends: Uint32Array;
  /** Commit times, milliseconds since 1970: one per message, or a single one when all are of one commit. */
  private readonly times: readonly number[];
  readonly traceparent: string | undefined;

  constructor(first: number, bytes: Buffer, ends: Uint32Array, times: readonly number[], traceparent?: string) {
    this.first = first;
    this.bytes = bytes;
    this.ends = ends;
    this.times = times;
    this.traceparent = traceparent;
  }

  /** Frames JSON texts. `times`: one for each of them, or one for all. */
  static fromTexts(first: number, texts: readonly string[], times: readonly number[], traceparent?: string): Segment {
    const lengths = Uint32Array.from(texts, (text) => Buffer.byteLength(text));
    const copy: Copy = (target, at, i) => target.write(texts[i] as string, at);
    return frame(first, lengths, copy, times, traceparent);
  }

  /**
   * Frames the JSON texts in `body`, one per line. `times`: one for each of them, or one for all.
   * @throws RangeError when `body` has fewer than `count` lines
   */
  static fromBody(first: number, count: number, body: Buffer, times: readonly number[], traceparent?: string): Segment {
    const lengths = lineLengths(body, count);
    let start = 0;
    const copy: Copy = (target, at, i) => {
      const end = start + (lengths[i] as number);
      const copied = body.copy(target, at, start, end);
      start = end + 1;
      return copied;
    };
    return frame(first, lengths, copy, times, traceparent);
  }

  /** Commit time of the first message, milliseconds since 1970. */
  get oldest(): number {
    return this.times[0] as number;
  }

  /** Commit time of the last message, milliseconds since 1970. */
  get newest(): number {
    return this.times.at(-1) as number;
  }

  get count(): number {
    return this.ends.length;
  }

  get last(): number {
    return this.first + this.ends.length - 1;
  }

  /** How many messages, from the first on, fit into `bytes` with their frames. */
  fitting(bytes: number): number {
    if (this.bytes.length <= bytes) return this.count;
    const over = this.ends.findIndex((end) => end > bytes);
    return over < 0 ? this.count : over;
  }

  /** The messages from `offset` on; `offset` must lie within. Shares memory. */
  from(offset: number): Segment {
    const skip = offset - this.first;
    if (skip === 0) return this;
    const begin = this.ends[skip - 1] as number;
    const ends = this.ends.slice(skip).map((end) => end - begin);
    const times = this.times.length > 1 ? this.times.slice(skip) : this.times;
    return new Segment(offset, this.bytes.subarray(begin), ends, times, this.traceparent);
  }

  /** The messages up to and including `offset`, which must lie within. Shares memory. */
  upTo(offset: number): Segment {
    if (offset === this.last) return this;
    const count = offset - this.first + 1;
    const ends = this.ends.subarray(0, count);
    const times = this.times.slice(0, count);
    return new Segment(this.first, this.bytes.subarray(0, ends[count - 1]), ends, times, this.traceparent);
  }
}

/** Writes the payload of message `i` to `target` and returns its length. Called once per message, in order. */
type Copy = (target: Buffer, at: number, i: number) => number;

function frame(
  first: number,
  lengths: Uint32Array,
  copy: Copy,
  times: readonly number[],
  traceparent: string | undefined,
): Segment {
  let size = 0;
  for (const length of lengths) size += headerLength(length) + length;
  const bytes = Buffer.allocUnsafeSlow(size);
  const ends = new Uint32Array(lengths.length);
  let at = 0;
  for (let i = 0; i < lengths.length; i++) {
    at = writeHeader(bytes, at, lengths[i] as number);
    at += copy(bytes, at, i);
    ends[i] = at;
  }
  return new Segment(first, bytes, ends, times, traceparent);
}

/** @throws RangeError when there are fewer than `count` lines; what follows the last newline is the last line */
function lineLengths(body: Buffer, count: number): Uint32Array {
  const lengths = new Uint32Array(count);
  let start = 0;
  for (let i = 0; i < count; i++) {
    const end = i === count - 1 ? body.length : body.indexOf(NEWLINE, start);
    if (end < start) throw new RangeError(`expected ${count} messages, found ${i}`);
    lengths[i] = end - start;
    start = end + 1;
  }
  return lengths;
}

/** Frames to be written in one call, and the offset of the last of them. */
export interface Piece {
  readonly bytes: Buffer;
  readonly last: number;
}

/** Consecutive segments as pieces of at most `maxBytes`, or of one message that is larger. Usually one piece. */
export function toPieces(segments: readonly Segment[], maxBytes: number): Piece[] {
  const pieces: Piece[] = [];
  let group: Segment[] = [];
  let room = maxBytes;
  const finish = () => {
    const end = group.at(-1);
    if (end) pieces.push({ bytes: joinBytes(group), last: end.last });
    group = [];
    room = maxBytes;
  };
  for (const segment of segments) {
    let rest: Segment | undefined = segment;
    while (rest) {
      // A message that exceeds `maxBytes` is a piece of its own.
      const count: number = rest.fitting(room) || (group.length === 0 ? 1 : 0);
      if (count === 0) {
        finish();
        continue;
      }
      const part: Segment = rest.upTo(rest.first + count - 1);
      group.push(part);
      room -= part.bytes.length;
      rest = part.last < rest.last ? rest.from(part.last + 1) : undefined;
    }
  }
  finish();
  return pieces;
}

/** The frames of consecutive segments in one buffer; of a single one, its own. */
function joinBytes(segments: readonly Segment[]): Buffer {
  return segments.length === 1
    ? (segments[0] as Segment).bytes
    : Buffer.concat(segments.map((segment) => segment.bytes));
}
