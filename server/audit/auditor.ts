/**
 * The delivery auditor: reads channels from the history, compares them with what receivers got and what publishers were
 * promised, and counts what was lost, duplicated, reordered or altered. It uses only the types of the protocol and the
 * history over HTTP, never the inside of a node, so that it can audit any deployment.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Json, Message, Position, Subscribed } from '../protocol/messages.ts';
import { type AuditedPage, ChannelAudit } from './channel-audit.ts';
import { type DeliveryCounts, emptyCounts, ReceiverLedger } from './receiver-ledger.ts';

/** Reads the messages after an offset, oldest first. Rejects when the history cannot be read. */
export type HistorySource = (channel: string, after: number) => Promise<AuditedPage>;

export interface AuditorOptions {
  readonly history: HistorySource;
  /** Grace period: a connected receiver has lost a message that it did not get this long after the history had it. Milliseconds, default 60000. */
  readonly graceMs?: number;
  /** Monotonic clock, milliseconds. Default `performance.now()`. */
  readonly now?: () => number;
}

/** One violation: its kind, the offsets, and the receiver that is affected. */
export interface Finding {
  readonly kind: 'lost' | 'altered' | 'unstored' | 'false recovery';
  readonly channel: string;
  readonly receiver?: string;
  readonly first: number;
  readonly last: number;
}

export interface AuditReport extends Readonly<DeliveryCounts> {
  readonly receivers: number;
  readonly channels: number;
  /** Received messages whose content differs from the history. They count in `inOrder` and the like as well. */
  readonly altered: number;
  /** Acknowledged publishes. */
  readonly acknowledged: number;
  /** Acknowledged publishes that the history does not store as they were sent. */
  readonly unstored: number;
  /** Received messages and acknowledgements that could not be compared with the history. */
  readonly unchecked: number;
  /** Replies that said `recovered: true` in another epoch than the receiver had. */
  readonly falseRecoveries: number;
  /** Time from the commit to the first arrival at a receiver, milliseconds. The clocks of Postgres and receiver must agree. */
  readonly latencyMs: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** At most 100; the counts above have no bound. */
  readonly findings: readonly Finding[];
}

/** Takes the reports of one receiver, that is, one client. */
export interface AuditedReceiver {
  subscribed(reply: Subscribed): void;
  message(message: Message): void;
  /** The connection was lost. The receiver should get what is committed meanwhile after it is subscribed again. */
  disconnected(): void;
  /** The position to recover from. Undefined before the first `subscribed`. */
  position(channel: string): Position | undefined;
}

const FINDINGS_MAX = 100;
const GRACE_MS = 60_000;

export class Auditor {
  private readonly options: AuditorOptions;
  private readonly now: () => number;
  private readonly channels = new Map<string, ChannelAudit>();
  private readonly ledgers = new Map<string, Map<string, ReceiverLedger>>();
  private readonly receivers = new Set<string>();
  private readonly latency: RecordableHistogram = createHistogram();
  private readonly findings: Finding[] = [];
  private acks = 0;
  private altered = 0;
  private unstored = 0;
  private falseRecoveries = 0;

  constructor(options: AuditorOptions) {
    this.options = options;
    this.now = options.now ?? (() => performance.now());
  }

  /** @param name appears in findings; each receiver needs its own */
  receiver(name: string): AuditedReceiver {
    this.receivers.add(name);
    return {
      subscribed: (reply) => this.subscribed(name, reply),
      message: (message) => this.received(name, message),
      disconnected: () => this.disconnected(name),
      position: (channel) => this.ledgers.get(channel)?.get(name)?.position,
    };
  }

  /** A publish of `data` was acknowledged with this position. */
  acknowledged(channel: string, position: Position, data: Json): void {
    this.acks++;
    this.channel(channel).acknowledged(position, data);
  }

  /**
   * Reads the new messages of every reported channel, and counts as lost what did not arrive within the grace period.
   * @throws the error of the history source; the next call continues from there
   */
  async follow(): Promise<void> {
    for (const [name, channel] of this.channels) {
      // Taken before the read. A message committed during the read gets a grace period that is shorter by the read.
      const at = this.now();
      while (channel.addPage(await this.options.history(name, channel.after)));
      const { position } = channel;
      for (const [receiver, ledger] of this.ledgers.get(name) ?? []) {
        if (position) ledger.noteTop(position, at);
        this.expire(name, receiver, ledger, at - (this.options.graceMs ?? GRACE_MS));
      }
    }
  }

  /** Whether every receiver got everything that the history stored at the last `follow`. */
  get isComplete(): boolean {
    return [...this.channels].every(([name, channel]) => {
      const { position } = channel;
      return [...(this.ledgers.get(name)?.values() ?? [])].every((ledger) => position && ledger.isComplete(position));
    });
  }

  /** Ends the audit, after the last publish: whatever has not arrived counts as lost, and what was received or acknowledged beyond the history as altered or unstored. */
  async close(): Promise<AuditReport> {
    await this.follow();
    for (const [name, ledgers] of this.ledgers)
      for (const [receiver, ledger] of ledgers) this.expire(name, receiver, ledger, Number.POSITIVE_INFINITY);
    for (const channel of this.channels.values()) channel.close();
    return this.report();
  }

  /** The counts so far. */
  report(): AuditReport {
    const counts = emptyCounts();
    for (const ledgers of this.ledgers.values()) {
      for (const ledger of ledgers.values())
        for (const key of Object.keys(counts) as (keyof DeliveryCounts)[]) counts[key] += ledger.counts[key];
    }
    const { latency } = this;
    return {
      ...counts,
      altered: this.altered,
      receivers: this.receivers.size,
      channels: this.channels.size,
      acknowledged: this.acks,
      unstored: this.unstored,
      unchecked: [...this.channels.values()].reduce((sum, channel) => sum + channel.unchecked, 0),
      falseRecoveries: this.falseRecoveries,
      latencyMs: {
        count: latency.count,
        // Values are recorded plus 1, because a histogram cannot hold 0.
        p50: latency.count === 0 ? 0 : latency.percentile(50) - 1,
        p99: latency.count === 0 ? 0 : latency.percentile(99) - 1,
        max: latency.count === 0 ? 0 : latency.max - 1,
      },
      findings: [...this.findings],
    };
  }

  private subscribed(receiver: string, { channel, epoch, offset, recovered, reason }: Subscribed): void {
    this.channel(channel).startAfter({ epoch, offset });
    const ledger = this.ledger(channel, receiver);
    const before = ledger.position;
    if (recovered && before && before.epoch !== epoch) {
      this.falseRecoveries++;
      this.note({ kind: 'false recovery', channel, receiver, first: offset, last: offset });
    }
    ledger.subscribed({ epoch, offset }, recovered, reason !== undefined);
  }

  private received(receiver: string, message: Message): void {
    const { channel, offset, id, data } = message;
    const ledger = this.ledger(channel, receiver);
    const { duplicated } = ledger.counts;
    ledger.received(offset);
    this.channel(channel).received({ offset, id, data });
    if (ledger.counts.duplicated > duplicated) return;
    this.latency.record(Math.max(0, Math.round(Date.now() - Date.parse(message.created_at))) + 1);
  }

  private disconnected(receiver: string): void {
    for (const ledgers of this.ledgers.values()) ledgers.get(receiver)?.disconnected();
  }

  private expire(channel: string, receiver: string, ledger: ReceiverLedger, before: number): void {
    for (const range of ledger.expire(before)) this.note({ kind: 'lost', channel, receiver, ...range });
  }

  private channel(name: string): ChannelAudit {
    let channel = this.channels.get(name);
    if (channel) return channel;
    channel = new ChannelAudit({
      onAltered: (offset, times) => {
        this.altered += times;
        this.note({ kind: 'altered', channel: name, first: offset, last: offset });
      },
      onUnstored: (offset) => {
        this.unstored++;
        this.note({ kind: 'unstored', channel: name, first: offset, last: offset });
      },
    });
    this.channels.set(name, channel);
    return channel;
  }

  private ledger(channel: string, receiver: string): ReceiverLedger {
    const ledgers = this.ledgers.get(channel) ?? new Map<string, ReceiverLedger>();
    this.ledgers.set(channel, ledgers);
    const ledger = ledgers.get(receiver) ?? new ReceiverLedger();
    ledgers.set(receiver, ledger);
    return ledger;
  }

  private note(finding: Finding): void {
    if (this.findings.length < FINDINGS_MAX) this.findings.push(finding);
  }
}
