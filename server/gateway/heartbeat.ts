/**
 * The heartbeat of all connections: one timing wheel instead of a timer per connection. Each tick pings the connections of
 * one slot of the wheel, and expires those of the slot that was pinged one timeout ago if nothing has arrived from them since.
 */
export interface HeartbeatTarget {
  /** Whether a frame has arrived since the last ping. The connection sets it; the heartbeat clears it. */
  alive: boolean;
  ping(): void;
  /** Called when nothing has arrived within the timeout after a ping. */
  expire(): void;
}

export interface HeartbeatOptions {
  readonly intervalMs: number;
  /** Must be less than `intervalMs`. */
  readonly timeoutMs: number;
}

const TICK_MIN_MS = 20;
const SLOTS_MAX = 60;

export class Heartbeat<T extends HeartbeatTarget> {
  private readonly slots: Set<T>[];
  private readonly timeoutTicks: number;
  private readonly timer: NodeJS.Timeout;
  private hand = 0;
  private next = 0;

  constructor({ intervalMs, timeoutMs }: HeartbeatOptions) {
    const count = Math.max(2, Math.min(SLOTS_MAX, Math.floor(intervalMs / TICK_MIN_MS)));
    const tickMs = intervalMs / count;
    this.slots = Array.from({ length: count }, () => new Set<T>());
    this.timeoutTicks = Math.min(count - 1, Math.max(1, Math.ceil(timeoutMs / tickMs)));
    this.timer = setInterval(() => this.tick(), tickMs);
    this.timer.unref();
  }

  /** Adds a connection to the next slot in turn, which spreads the pings evenly. Returns a function that removes it. */
  add(connection: T): () => void {
    const slot = this.slots[this.next] as Set<T>;
    this.next = (this.next + 1) % this.slots.length;
    connection.alive = true;
    slot.add(connection);
    return () => slot.delete(connection);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const due = (this.hand - this.timeoutTicks + this.slots.length) % this.slots.length;
    for (const connection of this.slots[due] as Set<T>) if (!connection.alive) connection.expire();
    for (const connection of this.slots[this.hand] as Set<T>) {
      connection.alive = false;
      connection.ping();
    }
    this.hand = (this.hand + 1) % this.slots.length;
  }
}
