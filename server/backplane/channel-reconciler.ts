/**
 * Compares the channels that one Redis server should have for this node with what the server is known to have, and decides
 * which to subscribe. Pure: no timers, sockets or promises. The owner reports every event, sends the commands that it gets,
 * and reports how they ended.
 *
 * While the connection is open, a desired channel is in place unless it is in one of these states:
 * - queued: it is sent with one of the next batches;
 * - sent with the current batch, which is unanswered;
 * - unconfirmed: the server lacks it, or may lack it; `retry()` queues it again.
 * A channel whose first SUBSCRIBE (`want()`) is unanswered is not counted: its caller waits. Without a connection no
 * channel is in place.
 */

/** Channels per SUBSCRIBE, so that restoring 100,000 of them does not make one huge command. */
export const BATCH_MAX = 1_000;

/** Channels of one command, and the connection that it belongs to. */
export interface ChannelCommand {
  readonly names: readonly string[];
  readonly connection: number;
}

export class ChannelReconciler {
  private readonly desired: Set<string>;
  private readonly queued = new Set<string>();
  private readonly unconfirmed = new Set<string>();
  /** Every channel is unconfirmed. A flag, because this may be reported thousands of times in a row. */
  private isEveryUnconfirmed = false;
  /**
   * Channels that the latest reassignment gave to another server: this server may still report that it dropped them.
   * Never a desired channel.
   */
  private released = new Set<string>();
  /** The batch that is unanswered. */
  private batch: ChannelCommand | undefined;
  /** Counts connections; answers to commands of an earlier one are ignored. */
  private connection = 0;
  private connected = false;

  constructor(names: Iterable<string>) {
    this.desired = new Set(names);
  }

  get isConnected(): boolean {
    return this.connected;
  }

  /** Whether no desired channel is missing. One whose SUBSCRIBE by `want()` is unanswered does not count: its caller waits. */
  get isComplete(): boolean {
    return this.connected && !this.needsRetry && this.queued.size === 0 && this.batch === undefined;
  }

  /** Whether `retry()` has to be called, after a delay. */
  get needsRetry(): boolean {
    return this.isEveryUnconfirmed || this.unconfirmed.size > 0;
  }

  isDesired(name: string): boolean {
    return this.desired.has(name);
  }

  /** Whether the command was sent on the connection that is open now. */
  isCurrent({ connection }: ChannelCommand): boolean {
    return this.connected && connection === this.connection;
  }

  /** The server has no channels of a new connection, so all are queued. */
  opened(): void {
    this.closed();
    this.connected = true;
    for (const name of this.desired) this.queued.add(name);
  }

  closed(): void {
    this.connected = false;
    this.connection++;
    this.batch = undefined;
    this.queued.clear();
    this.unconfirmed.clear();
    this.isEveryUnconfirmed = false;
  }

  /** Returns the SUBSCRIBE to send at once, or undefined while not connected: then `opened()` queues the channel. */
  want(name: string): ChannelCommand | undefined {
    this.add(name);
    return this.command([name]);
  }

  /** Returns the UNSUBSCRIBE to send at once. */
  unwant(name: string): ChannelCommand | undefined {
    this.remove(name);
    return this.command([name]);
  }

  /** Slots moved: the server now owns the channels `gained`, and no longer those `released`, which it drops by itself. */
  reassign(gained: readonly string[], released: readonly string[]): void {
    for (const name of released) this.remove(name);
    this.released = new Set(released);
    for (const name of gained) {
      this.add(name);
      if (this.connected) this.queued.add(name);
    }
  }

  /** Returns the next SUBSCRIBE of queued channels, or undefined while one is unanswered or nothing is queued. */
  nextBatch(): ChannelCommand | undefined {
    if (this.batch || this.queued.size === 0) return undefined;
    const names: string[] = [];
    for (const name of this.queued) {
      if (names.length === BATCH_MAX) break;
      this.queued.delete(name);
      names.push(name);
    }
    this.batch = this.command(names);
    return this.batch;
  }

  /**
   * The SUBSCRIBE was answered. Channels that became unconfirmed since it was sent stay so: its answer may be older than the
   * report that made them unconfirmed.
   */
  confirmed(command: ChannelCommand): void {
    if (command === this.batch) this.batch = undefined;
  }

  /** Another server owns at least one of these channels. Queued channels wait too: the slot map is out of date. */
  moved(command: ChannelCommand): void {
    if (!this.isCurrent(command)) return;
    if (command === this.batch) this.batch = undefined;
    for (const name of [...command.names, ...this.queued]) this.markUnconfirmed(name);
  }

  /**
   * The server reports that it dropped this channel. Returns false if that was expected. For a channel that is neither
   * desired nor released, the report may be the answer to an UNSUBSCRIBE whose place another channel's report took.
   */
  dropped(name: string): boolean {
    if (this.desired.has(name)) this.markUnconfirmed(name);
    else if (this.released.has(name)) return false;
    else this.confirmationsLost();
    return true;
  }

  /** Answers were assigned to the wrong commands, so the server may lack any channel. */
  confirmationsLost(): void {
    this.isEveryUnconfirmed = this.connected;
  }

  /** Queues the unconfirmed channels again. Returns whether these were all channels. */
  retry(): boolean {
    const isEvery = this.isEveryUnconfirmed;
    for (const name of isEvery ? this.desired : this.unconfirmed) this.queued.add(name);
    this.unconfirmed.clear();
    this.isEveryUnconfirmed = false;
    return isEvery;
  }

  private command(names: readonly string[]): ChannelCommand | undefined {
    return this.connected ? { names, connection: this.connection } : undefined;
  }

  private markUnconfirmed(name: string): void {
    if (!this.connected || !this.desired.has(name)) return;
    this.queued.delete(name);
    this.unconfirmed.add(name);
  }

  private add(name: string): void {
    this.desired.add(name);
    this.released.delete(name);
  }

  private remove(name: string): void {
    this.desired.delete(name);
    this.queued.delete(name);
    this.unconfirmed.delete(name);
  }
}
