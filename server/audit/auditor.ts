/**
 * The delivery auditor: follows channels in the history, hears what receivers got and what publishers were promised, and
 * counts what was lost, duplicated, reordered or altered. A black box: it sees the protocol and the HTTP interface only.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Json, Message, Position, Subscribed } from '../protocol/messages.ts';
import { type AuditedPage, ChannelAudit } from './channel-audit.ts';
import { type Counts, noCounts, ReceiverLedger } from './receiver-ledger.ts';

/** Reads the messages after an offset, oldest first. Rejects when the history cannot be read now. */
export type HistorySource = (channel: string, after: number) => Promise<AuditedPage>;

export interface AuditorOptions {
  readonly history: HistorySource;
  /** How long after the history has a message a receiver that is there may still be without it, milliseconds. Default 60000. */
  readonly graceMs?: number;
  /** `performance.now()` or the like, milliseconds. */
  readonly now?: () => number;
}

/** One finding, for people: what, where, and for whom. */
export interface Finding {
  readonly kind: 'lost' | 'altered' | 'unstored' | 'false recovery';
  readonly channel: string;
  readonly receiver?: string;
  readonly first: number;
  readonly last: number;
}

export interface AuditReport extends Readonly<Counts> {
  readonly receivers: number;
  readonly channels: number;
  /** Publishes that were acknowledged, and those of them that the history does not hold as they were sent. */
  readonly acknowledged: number;
  readonly unstored: number;
  /** Claims that could not be compared with the history any more. */
  readonly unchecked: number;
  /** A server said `recovered` and began in another epoch. */
  readonly falseRecoveries: number;
  /** From the commit to the receiver, milliseconds; of first arrivals. Clocks of database and receiver must agree. */
  readonly latencyMs: { readonly count: number; readonly p50: number; readonly p99: number; readonly max: number };
  /** The first hundred. */
  readonly findings: readonly Finding[];
}

/** What a receiver reports. One for each client; its name is for the findings. */
export interface AuditedReceiver {
  subscribed(reply: Subscribed): void;
  message(message: Message): void;
  /** The connection is gone; what is committed from now on is owed when it is back. */
  disconnected(): void;
  /** Where to recover from; undefined before the first `subscribed`. */
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

  receiver(name: string): AuditedReceiver {
    this.receivers.add(name);
    return {
      subscribed: (reply) => this.subscribed(name, reply),
      message: (message) => this.received(name, message),
      disconnected: () => this.disconnected(name),
      position: (channel) => this.ledgers.get(channel)?.get(name)?.position,
    };
  }

  /** A publish was acknowledged. `data` as it was sent. */
  acknowledged(channel: string, position: Position, data: Json): void {
    this.acks++;
    this.channel(channel).acknowledged(position, data);
  }

  /**
   * Reads what is new in every channel that anybody named, and gives up what has been owed for too long.
   * @throws what the history source throws; the next call goes on from there
   */
  async follow(): Promise<void> {
    for (const [name, channel] of this.channels) {
      // The time before the read: what it shows existed then at the latest.
      const at = this.now();
      while (channel.addPage(await this.options.history(name, channel.after)));
      const { position } = channel;
      for (const [receiver, ledger] of this.ledgers.get(name) ?? []) {
        if (position) ledger.owe(position, at);
        this.giveUp(name, receiver, ledger, at - (this.options.graceMs ?? GRACE_MS));
      }
    }
  }

  /** Whether every receiver has everything that the history held at the last `follow`. */
  get isComplete(): boolean {
    return [...this.channels].every(([name, channel]) => {
      const { position } = channel;
      return [...(this.ledgers.get(name)?.values() ?? [])].every((ledger) => position && ledger.isComplete(position));
    });
  }

  /** The end: nobody publishes any more. What is owed counts as lost, claims beyond the history as false. */
  async close(): Promise<AuditReport> {
    await this.follow();
    for (const [name, ledgers] of this.ledgers)
      for (const [receiver, ledger] of ledgers) this.giveUp(name, receiver, ledger, Number.POSITIVE_INFINITY);
    for (const channel of this.channels.values()) channel.close();
    return this.report();
  }

  /** The figures so far. */
  report(): AuditReport {
    const counts = noCounts();
    for (const ledgers of this.ledgers.values()) {
      for (const ledger of ledgers.values())
        for (const key of Object.keys(counts) as (keyof Counts)[]) counts[key] += ledger.counts[key];
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
        // Recorded one higher, because a histogram begins at 1.
        p50: latency.count === 0 ? 0 : latency.percentile(50) - 1,
        p99: latency.count === 0 ? 0 : latency.percentile(99) - 1,
        max: latency.count === 0 ? 0 : latency.max - 1,
      },
      findings: [...this.findings],
    };
  }

  private subscribed(receiver: string, { channel, epoch, offset, recovered, reason }: Subscribed): void {
    this.channel(channel).begin({ epoch, offset });
    const ledger = this.ledger(channel, receiver);
    const before = ledger.position;
    if (recovered && before && before.epoch !== epoch) {
      this.falseRecoveries++;
      this.note({ kind: 'false recovery', channel, receiver, first: offset, last: offset });
    }
    ledger.begin({ epoch, offset }, recovered, reason !== undefined);
  }

  private received(receiver: string, message: Message): void {
    const { channel, offset, id, data } = message;
    const ledger = this.ledger(channel, receiver);
    const { duplicated } = ledger.counts;
    ledger.receive(offset);
    this.channel(channel).received({ offset, id, data });
    if (ledger.counts.duplicated > duplicated) return;
    this.latency.record(Math.max(0, Math.round(Date.now() - Date.parse(message.created_at))) + 1);
  }

  private disconnected(receiver: string): void {
    for (const ledgers of this.ledgers.values()) ledgers.get(receiver)?.pause();
  }

  private giveUp(channel: string, receiver: string, ledger: ReceiverLedger, before: number): void {
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
