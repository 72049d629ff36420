/**
 * Compares the content of one channel with what receivers got and what publishers were promised. Pure: the auditor
 * passes receptions, acknowledgements and the pages of the history. A reception or acknowledgement is compared once the
 * history has been read up to its offset.
 */
import { createHash } from 'node:crypto';
import type { Json, Position } from '../protocol/messages.ts';

/** A message as the history stores it or a receiver got it. */
export interface AuditedMessage {
  readonly offset: number;
  readonly id: string;
  readonly data: Json;
}

/** Part of a channel in ascending order, read in one snapshot. `top` is the newest offset of the channel. */
export interface AuditedPage {
  readonly epoch: string;
  readonly top: number;
  readonly messages: readonly AuditedMessage[];
}

export interface ChannelAuditEvents {
  /** A receiver got something else at this offset than the history stores, `times` times. */
  onAltered(offset: number, times: number): void;
  /** A publish was acknowledged with this offset, but the history stores something else there, or nothing. */
  onUnstored(offset: number): void;
}

/** Most messages in one page of the history. A page covers this many offsets. */
export const PAGE_SIZE = 1_000;

/** Messages whose fingerprint is kept after they were read, for later receptions and acknowledgements. About 100 bytes each. */
const STORED_MAX = 20_000;

function fingerprint(data: Json): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('base64').slice(0, 16);
}

export class ChannelAudit {
  private readonly events: ChannelAuditEvents;
  private epoch: string | undefined;
  /** Epoch -> the offset before its first reception or acknowledgement. Reading begins there. */
  private readonly starts = new Map<string, number>();
  private readUpTo = 0;
  private top = 0;
  /** Offset -> what the history stores: message id and fingerprint of the data. */
  private readonly stored = new Map<number, { id: string; data: string }>();
  /** Offset -> message that receivers got -> how often. Kept until the history has been read up to the offset. */
  private readonly receptions = new Map<number, Map<string, number>>();
  /** Offset -> fingerprints of acknowledged data. Kept like `receptions`. */
  private readonly acks = new Map<number, string[]>();
  /** Receptions and acknowledgements that could not be compared: too old, expired, or of an earlier epoch. */
  unchecked = 0;

  constructor(events: ChannelAuditEvents) {
    this.events = events;
  }

  /** The offset after which the next page begins. */
  get after(): number {
    return this.readUpTo;
  }

  /** The newest position that the history was seen to reach. Undefined before the first page. */
  get position(): Position | undefined {
    return this.epoch === undefined ? undefined : { epoch: this.epoch, offset: this.top };
  }

  /** Receptions and acknowledgements may follow for offsets after this position. */
  startAfter({ epoch, offset }: Position): void {
    this.starts.set(epoch, Math.min(offset, this.starts.get(epoch) ?? offset));
  }

  /**
   * Compares one page with what was received and acknowledged of it.
   * @param page the messages after `after`
   * @returns whether there is more to read
   */
  addPage({ epoch, top, messages }: AuditedPage): boolean {
    if (epoch !== this.epoch) {
      this.startEpoch(epoch, top);
      return true;
    }
    for (const { offset, id, data } of messages) this.stored.set(offset, { id, data: fingerprint(data) });
    // A page without messages below the top: retention removed them.
    const last = messages.at(-1)?.offset ?? Math.min(top, this.readUpTo + PAGE_SIZE);
    for (let offset = this.readUpTo + 1; offset <= last; offset++) this.compare(offset);
    this.readUpTo = Math.max(this.readUpTo, last);
    this.top = top;
    this.trim();
    return this.readUpTo < top;
  }

  /** A receiver got this message. */
  received({ offset, id, data }: AuditedMessage): void {
    const content = `${id} ${fingerprint(data)}`;
    if (offset <= this.readUpTo) {
      this.compareReception(offset, content, 1);
      return;
    }
    const contents = this.receptions.get(offset) ?? new Map<string, number>();
    contents.set(content, (contents.get(content) ?? 0) + 1);
    this.receptions.set(offset, contents);
  }

  /** A publish of `data` was acknowledged with this position. */
  acknowledged({ epoch, offset }: Position, data: Json): void {
    this.startAfter({ epoch, offset: offset - 1 });
    if (this.epoch !== undefined && epoch !== this.epoch) this.unchecked++;
    else if (offset <= this.readUpTo) this.compareAck(offset, fingerprint(data));
    else this.acks.set(offset, [...(this.acks.get(offset) ?? []), fingerprint(data)]);
  }

  /** The history does not grow any more: what was received or acknowledged beyond its top counts as altered or unstored. */
  close(): void {
    for (const [offset, contents] of this.receptions) {
      for (const times of contents.values()) this.events.onAltered(offset, times);
    }
    for (const [offset, acks] of this.acks) for (const _ of acks) this.events.onUnstored(offset);
    this.receptions.clear();
    this.acks.clear();
  }

  private startEpoch(epoch: string, top: number): void {
    if (this.epoch !== undefined) {
      for (const contents of this.receptions.values()) for (const times of contents.values()) this.unchecked += times;
      for (const acks of this.acks.values()) this.unchecked += acks.length;
      this.receptions.clear();
      this.acks.clear();
    }
    this.stored.clear();
    this.epoch = epoch;
    this.top = top;
    this.readUpTo = Math.min(top, this.starts.get(epoch) ?? top);
  }

  private compare(offset: number): void {
    for (const [content, times] of this.receptions.get(offset) ?? []) this.compareReception(offset, content, times);
    for (const data of this.acks.get(offset) ?? []) this.compareAck(offset, data);
    this.receptions.delete(offset);
    this.acks.delete(offset);
  }

  private compareReception(offset: number, content: string, times: number): void {
    const stored = this.stored.get(offset);
    if (!stored) this.unchecked += times;
    else if (content !== `${stored.id} ${stored.data}`) this.events.onAltered(offset, times);
  }

  private compareAck(offset: number, data: string): void {
    const stored = this.stored.get(offset);
    if (!stored) this.unchecked++;
    else if (data !== stored.data) this.events.onUnstored(offset);
  }

  private trim(): void {
    for (const offset of this.stored.keys()) {
      if (this.stored.size <= STORED_MAX) break;
      this.stored.delete(offset);
    }
  }
}
