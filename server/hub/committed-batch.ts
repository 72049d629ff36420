/**
 * A commit of this node in the two forms that it leaves the hub in: the segment for this node's own tail, and the body
 * for the backplane. Each message is encoded at most once, and not at all when neither form is asked for.
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

  constructor(commit: Committed) {
    const { offset, createdAt } = commit.messages[0] as StoredMessage;
    this.commit = commit;
    this.epoch = commit.epoch;
    this.first = offset;
    this.count = commit.messages.length;
    this.createdAt = createdAt;
    this.traceparent = commit.traceparent;
  }

  /** Built at each access: a transport reads it once, and only while it is connected. */
  get body(): Buffer {
    return Buffer.from(this.texts.join('\n'));
  }

  toSegment(): Segment {
    return Segment.fromTexts(this.first, this.texts, [this.createdAt], this.traceparent);
  }

  private get texts(): readonly string[] {
    const { channel, messages } = this.commit;
    this.encoded ??= messages.map((message) => encodeMessage(channel, message));
    return this.encoded;
  }
}
