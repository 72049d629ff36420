/**
 * One channel as the history has it, and what receivers and publishers claim about it. Pure: pages of the history are
 * given to it. Answers whether a claim is true once the history has been read that far.
 */
import { createHash } from 'node:crypto';
import type { Json, Position } from '../protocol/messages.ts';

/** A message as the history or a receiver has it. */
export interface AuditedMessage {
  readonly offset: number;
  readonly id: string;
  readonly data: Json;
}

/** Part of a channel in ascending order, read in one snapshot. `top`: newest offset of the channel. */
export interface AuditedPage {
  readonly epoch: string;
  readonly top: number;
  readonly messages: readonly AuditedMessage[];
}

export interface ChannelAuditEvents {
  /** `times` receptions of this offset were not what the history holds. */
  onAltered(offset: number, times: number): void;
  /** A publish was acknowledged with this offset, and the history holds something else there, or nothing. */
  onUnstored(offset: number): void;
}

/** Most messages that a page of the history holds, and the span of offsets that it covers. */
export const PAGE_SIZE = 1_000;

/** Fingerprints of messages behind the newest that was read, for claims that come late. About 100 bytes each. */
const REMEMBERED = 20_000;

function fingerprint(data: Json): string {
  return createHash('sha256').update(JSON.stringify(data)).digest('base64').slice(0, 16);
}

export class ChannelAudit {
  private readonly events: ChannelAuditEvents;
  private epoch: string | undefined;
  /** Where claims of an epoch begin: what lies before need not be read. */
  private readonly bases = new Map<string, number>();
  private readUpTo = 0;
  private top = 0;
  /** Offset -> what the history holds: message id and fingerprint of the data. */
  private readonly truth = new Map<number, { id: string; data: string }>();
  /** Offset -> claimed message -> how often, until the history has been read that far. */
  private readonly receptions = new Map<number, Map<string, number>>();
  private readonly acks = new Map<number, string[]>();
  /** Claims that nothing could be compared with: too old, or of an epoch that is gone. */
  unchecked = 0;

  constructor(events: ChannelAuditEvents) {
    this.events = events;
  }

  /** Where to read on. */
  get after(): number {
    return this.readUpTo;
  }

  /** Up to where the history was seen to reach; undefined before the first page. */
  get position(): Position | undefined {
    return this.epoch === undefined ? undefined : { epoch: this.epoch, offset: this.top };
  }

  /** Claims about this channel begin after this position. */
  begin({ epoch, offset }: Position): void {
    this.bases.set(epoch, Math.min(offset, this.bases.get(epoch) ?? offset));
  }

  /** @param page what follows `after` @returns whether there is more to read */
  addPage({ epoch, top, messages }: AuditedPage): boolean {
    if (epoch !== this.epoch) {
      this.startEpoch(epoch, top);
      return true;
    }
    for (const { offset, id, data } of messages) this.truth.set(offset, { id, data: fingerprint(data) });
    // An empty page before the top: retention took what was there.
    const last = messages.at(-1)?.offset ?? Math.min(top, this.readUpTo + PAGE_SIZE);
    for (let offset = this.readUpTo + 1; offset <= last; offset++) this.settle(offset);
    this.readUpTo = Math.max(this.readUpTo, last);
    this.top = top;
    this.forget();
    return this.readUpTo < top;
  }

  /** A receiver has got this message. */
  received({ offset, id, data }: AuditedMessage): void {
    const claim = `${id} ${fingerprint(data)}`;
    if (offset <= this.readUpTo) {
      this.judgeReception(offset, claim, 1);
      return;
    }
    const claims = this.receptions.get(offset) ?? new Map<string, number>();
    claims.set(claim, (claims.get(claim) ?? 0) + 1);
    this.receptions.set(offset, claims);
  }

  /** A publish of `data` was acknowledged with this position. */
  acknowledged({ epoch, offset }: Position, data: Json): void {
    this.begin({ epoch, offset: offset - 1 });
    if (this.epoch !== undefined && epoch !== this.epoch) this.unchecked++;
    else if (offset <= this.readUpTo) this.judgeAck(offset, fingerprint(data));
    else this.acks.set(offset, [...(this.acks.get(offset) ?? []), fingerprint(data)]);
  }

  /** The history is complete: claims beyond its top are false. */
  close(): void {
    for (const [offset, claims] of this.receptions) {
      for (const times of claims.values()) this.events.onAltered(offset, times);
    }
    for (const [offset, acks] of this.acks) for (const _ of acks) this.events.onUnstored(offset);
    this.receptions.clear();
    this.acks.clear();
  }

  private startEpoch(epoch: string, top: number): void {
    if (this.epoch !== undefined) {
      for (const claims of this.receptions.values()) for (const times of claims.values()) this.unchecked += times;
      for (const acks of this.acks.values()) this.unchecked += acks.length;
      this.receptions.clear();
      this.acks.clear();
    }
    this.truth.clear();
    this.epoch = epoch;
    this.top = top;
    this.readUpTo = Math.min(top, this.bases.get(epoch) ?? top);
  }

  private settle(offset: number): void {
    for (const [claim, times] of this.receptions.get(offset) ?? []) this.judgeReception(offset, claim, times);
    for (const data of this.acks.get(offset) ?? []) this.judgeAck(offset, data);
    this.receptions.delete(offset);
    this.acks.delete(offset);
  }

  private judgeReception(offset: number, claim: string, times: number): void {
    const truth = this.truth.get(offset);
    if (!truth) this.unchecked += times;
    else if (claim !== `${truth.id} ${truth.data}`) this.events.onAltered(offset, times);
  }

  private judgeAck(offset: number, data: string): void {
    const truth = this.truth.get(offset);
    if (!truth) this.unchecked++;
    else if (data !== truth.data) this.events.onUnstored(offset);
  }

  private forget(): void {
    for (const offset of this.truth.keys()) {
      if (this.truth.size <= REMEMBERED) break;
      this.truth.delete(offset);
    }
  }
}
