// Counts what this page sent against what its panes were given. Pure: no clock, no page. It never asks the client
// library whether all is well: it looks only at what the library handed over.

/** An acknowledged message that a pane has not been given after this long counts as lost, in milliseconds. */
export const LATE_MS = 10_000;
/** Message ids that a pane remembers, to tell a duplicate from a message that came too late. */
const REMEMBERED = 5_000;

/** What one pane was given, against the offsets. */
class Receipt {
  received = 0;
  duplicated = 0;
  outOfOrder = 0;
  skipped = 0;
  /** Offset of the newest message given; null before the subscription began. */
  offset = null;
  ids = new Set();

  /** The subscription begins behind this offset. */
  begin(offset) {
    this.offset = offset;
  }

  /** History is gone. Within an epoch the offsets say how much; in a new one they begin anew. */
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
  /** Published and not settled yet, by sequence number: when it was acknowledged, where, and who still lacks it. */
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

  /** Not acknowledged, so nothing is promised: it may arrive or not. */
  fail(seq) {
    this.failed += 1;
    this.open.delete(seq);
  }

  /** `seq` is null for messages of others. */
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
        // Behind the cursor: from before the subscription, or counted in `skipped` already.
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

/** The value below which the share `p` of `values` lies; NaN without values. */
export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * p) - 1)] ?? Number.NaN;
}
