/**
 * The part of a commit that belongs to one channel, in two forms: the segment for the tail of this node, and the body for the
 * backplane. Each message becomes JSON at most once, and not at all when neither form is requested.
 */
import type { Batch } from '../backplane/types.ts';
import type { Committed, StoredMessage } from '../history/types.ts';
import { encodeMessage } from '../protocol/codec.ts';
import { Segment } from './segment.ts';

export class CommittedBatch implements Batch {
  readonly epoch: string;
  readonly first: number;
  readonly count: number;
  readonly createdAt: number;
  readonly traceparent: string | undefined;
  private readonly commit: Committed;
  private encoded: readonly string[] | undefined;
  private builtBody: Buffer | undefined;

  constructor(commit: Committed) {
    const { offset, createdAt } = commit.messages[0] as StoredMessage;
    this.commit = commit;
    this.epoch = commit.epoch;
    this.first = offset;
    this.count = commit.messages.length;
    this.createdAt = createdAt;
    this.traceparent = commit.traceparent;
  }

  /** Built at the first access: a transport reads it only while it is connected. */
  get body(): Buffer {
    this.builtBody ??= Buffer.from(this.texts.join('\n'));
    return this.builtBody;
  }

  /** From the body if there is one: copying its bytes costs less than a second conversion of the texts to UTF-8. */
  toSegment(): Segment {
    const { first, count, builtBody, traceparent } = this;
    const times = [this.createdAt];
    if (builtBody) return Segment.fromBody(first, count, builtBody, times, traceparent);
    return Segment.fromTexts(first, this.texts, times, traceparent);
  }

  private get texts(): readonly string[] {
    const { channel, messages } = this.commit;
    this.encoded ??= messages.map((message) => encodeMessage(channel, message));
    return this.encoded;
  }
}
