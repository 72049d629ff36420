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

/** What was received or acknowledged at an offset, until the history has been read up to it. */
interface Report {
  readonly kind: 'reception' | 'ack';
  /** `<message id> <fingerprint>` of a reception, the fingerprint of an acknowledgement. */
  readonly content: string;
  /** Epoch of the history when it was reported. */
  readonly epoch: string | undefined;
  times: number;
}

/** A receiver was told `recovered: true` in another epoch: the history must still have this message. */
interface Recovery {
  readonly epoch: string;
  readonly id: string;
  readonly onFalse: () => void;
}

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
  /** By offset. */
  private readonly reports = new Map<number, Report[]>();
  /** By offset. */
  private readonly recoveries = new Map<number, Recovery[]>();
  /**
   * Reports that the history contradicts. They are compared again in each new epoch, because a receiver may be ahead of the reading.
   * At the end they are findings, except those of an earlier epoch if a loss was declared.
   */
  private contradicted: { readonly offset: number; readonly report: Report }[] = [];
  private isLossDeclared = false;
  /** Receptions and acknowledgements that could not be compared: too old, expired, or lost with an epoch whose loss was declared. */
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
    this.report(offset, 'reception', `${id} ${fingerprint(data)}`, this.epoch);
  }

  /** A receiver whose newest message this is was told `recovered: true` in another epoch. */
  recovered(offset: number, recovery: Recovery): void {
    if (offset <= this.readUpTo && recovery.epoch === this.epoch) this.compareRecovery(offset, recovery);
    else this.recoveries.set(offset, [...(this.recoveries.get(offset) ?? []), recovery]);
  }

  /** A receiver was told that the database lost messages: the history may contradict what was reported before. */
  declareLoss(): void {
    this.isLossDeclared = true;
  }

  /** A publish of `data` was acknowledged with this position. */
  acknowledged({ epoch, offset }: Position, data: Json): void {
    this.startAfter({ epoch, offset: offset - 1 });
    this.report(offset, 'ack', fingerprint(data), epoch);
  }

  /** The history does not grow any more: what was received or acknowledged beyond its top counts as altered or unstored. */
  close(): void {
    for (const [offset, reports] of this.reports)
      for (const report of reports) this.contradicted.push({ offset, report });
    this.reports.clear();
    for (const { offset, report } of this.contradicted) {
      const isLost = this.isLossDeclared && report.epoch !== undefined && report.epoch !== this.epoch;
      if (isLost) this.unchecked += report.times;
      else this.find(offset, report);
    }
    this.contradicted = [];
    for (const recoveries of this.recoveries.values()) for (const { onFalse } of recoveries) onFalse();
    this.recoveries.clear();
  }

  /** What is reported but not compared yet is compared with the history of the new epoch, which is read again from there. */
  private startEpoch(epoch: string, top: number): void {
    for (const { offset, report } of this.contradicted) this.keep(offset, report);
    this.contradicted = [];
    const offsets = [...this.reports.keys(), ...this.recoveries.keys()];
    const first = this.epoch === undefined ? [] : offsets.map((offset) => offset - 1);
    this.stored.clear();
    this.epoch = epoch;
    this.top = top;
    this.readUpTo = Math.min(top, this.starts.get(epoch) ?? top, ...first);
  }

  private report(offset: number, kind: Report['kind'], content: string, epoch: string | undefined): void {
    if (offset <= this.readUpTo) {
      this.compareReport(offset, { kind, content, epoch, times: 1 });
      return;
    }
    const same = this.reports
      .get(offset)
      ?.find((report) => report.kind === kind && report.content === content && report.epoch === epoch);
    if (same) same.times++;
    else this.keep(offset, { kind, content, epoch, times: 1 });
  }

  private keep(offset: number, report: Report): void {
    this.reports.set(offset, [...(this.reports.get(offset) ?? []), report]);
  }

  private compare(offset: number): void {
    for (const report of this.reports.get(offset) ?? []) this.compareReport(offset, report);
    this.reports.delete(offset);
    const recoveries = this.recoveries.get(offset) ?? [];
    for (const recovery of recoveries) if (recovery.epoch === this.epoch) this.compareRecovery(offset, recovery);
    const later = recoveries.filter(({ epoch }) => epoch !== this.epoch);
    if (later.length > 0) this.recoveries.set(offset, later);
    else this.recoveries.delete(offset);
  }

  private compareReport(offset: number, report: Report): void {
    const stored = this.stored.get(offset);
    const content = stored && (report.kind === 'ack' ? stored.data : `${stored.id} ${stored.data}`);
    if (content === undefined) this.unchecked += report.times;
    else if (content !== report.content) this.contradicted.push({ offset, report });
  }

  private compareRecovery(offset: number, { id, onFalse }: Recovery): void {
    const stored = this.stored.get(offset);
    if (stored && stored.id !== id) onFalse();
  }

  private find(offset: number, { kind, times }: Report): void {
    if (kind === 'reception') this.events.onAltered(offset, times);
    else for (let i = 0; i < times; i++) this.events.onUnstored(offset);
  }

  private trim(): void {
    for (const offset of this.stored.keys()) {
      if (this.stored.size <= STORED_MAX) break;
      this.stored.delete(offset);
    }
  }
}
