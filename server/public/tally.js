// Compares what this page published with what its panes received. Pure: no clock, no page. Never relies on the counters of
// the client library, only on the messages that it delivered.

/** An acknowledged message that a pane has not received after this time counts as lost, milliseconds. */
export const LATE_MS = 10_000;
/** Message ids that a pane remembers, to distinguish a duplicate from a message out of order. */
const REMEMBERED = 5_000;

/** What one pane received, checked by offset. */
class Receipt {
  received = 0;
  duplicated = 0;
  outOfOrder = 0;
  skipped = 0;
  /** Offset of the newest message received; null before the subscription began. */
  offset = null;
  ids = new Set();

  /** The subscription begins after this offset. */
  begin(offset) {
    this.offset = offset;
  }

  /** History was lost. Within one epoch the offsets show how much; a new epoch counts from 1 again. */
  lose(offset, sameEpoch) {
    if (sameEpoch && this.offset !== null) this.skipped += Math.max(0, offset - this.offset);
    this.offset = offset;
  }

  take({ id, offset }) {
    if (this.offset !== null && offset <= this.offset) {
      if (this.ids.has(id)) this.duplicated += 1;
      else this.outOfOrder += 1;
      return;
    }
    if (this.offset !== null) this.skipped += offset - this.offset - 1;
    this.offset = offset;
    this.ids.add(id);
    if (this.ids.size > REMEMBERED) this.ids.delete(this.ids.values().next().value);
  }
}

export class Tally {
  sent = 0;
  acked = 0;
  failed = 0;
  /** Unsettled messages by sequence number: time and offset of the ack, and the panes that have not received it. */
  open = new Map();
  panes;

  constructor(names) {
    this.panes = new Map(names.map((name) => [name, new Receipt()]));
  }

  publish(seq) {
    this.sent += 1;
    this.open.set(seq, { lacking: new Set(this.panes.keys()), offset: null, ackedAt: null });
  }

  ack(seq, offset, now) {
    this.acked += 1;
    const entry = this.open.get(seq);
    if (!entry) return;
    entry.offset = offset;
    entry.ackedAt = now;
    this.settle(seq, entry);
  }

  /** The publish was not acknowledged, so the message may arrive or not. */
  fail(seq) {
    this.failed += 1;
    this.open.delete(seq);
  }

  /** `seq` is null for messages that this page did not publish. */
  receive(pane, seq, message) {
    const receipt = this.panes.get(pane);
    const repeated = receipt.offset !== null && message.offset <= receipt.offset;
    receipt.take(message);
    if (seq === null || repeated) return;
    receipt.received += 1;
    const entry = this.open.get(seq);
    if (!entry) return;
    entry.lacking.delete(pane);
    this.settle(seq, entry);
  }

  /** The numbers of the verdict. */
  count(now) {
    const receipts = [...this.panes.values()];
    const sum = (key) => receipts.reduce((total, receipt) => total + receipt[key], 0);
    let lost = 0;
    let underway = 0;
    for (const [seq, entry] of this.open) {
      if (entry.ackedAt === null) continue;
      const { lacking, offset, ackedAt } = entry;
      for (const pane of lacking) {
        const receipt = this.panes.get(pane);
        // The pane is beyond this offset: the message is older than the subscription, or counted in `skipped`.
        if (receipt.offset !== null && receipt.offset >= offset) lacking.delete(pane);
        else if (now - ackedAt > LATE_MS) lost += 1;
        else underway += 1;
      }
      this.settle(seq, entry);
    }
    return {
      sent: this.acked,
      waiting: this.sent - this.acked - this.failed,
      failed: this.failed,
      received: receipts.map((receipt) => receipt.received),
      underway,
      lost: lost + sum('skipped'),
      duplicated: sum('duplicated'),
      outOfOrder: sum('outOfOrder'),
    };
  }

  settle(seq, entry) {
    if (entry.ackedAt !== null && entry.lacking.size === 0) this.open.delete(seq);
  }
}

/** The percentile: at least the share `p` of `values` is not above it; NaN without values. */
export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * p) - 1)] ?? Number.NaN;
}
