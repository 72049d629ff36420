/**
 * The channels that one Redis server should have for this node, and what is still missing there. Pure: no timers, sockets
 * or promises. The owner reports every event, sends the commands that it gets back, and reports how they ended.
 *
 * A desired channel is in exactly one of these states:
 * - first: its first SUBSCRIBE is unanswered; the caller waits for it, so it does not count as missing;
 * - queued: to be sent with the next batch;
 * - in flight: sent with the current batch and unanswered;
 * - unconfirmed: the server does not have it, or may not have it; it is queued again by `retry()`;
 * - in place: in none of the sets below.
 */

/** Channels per SUBSCRIBE, so that restoring 100,000 of them does not make one huge command. */
const BATCH_MAX = 1_000;

/** Channels of one command, and the connection that it belongs to. */
export interface ChannelCommand {
  readonly names: readonly string[];
  readonly connection: number;
}

export class ChannelReconciler {
  private readonly desired: Set<string>;
  private readonly queued = new Set<string>();
  private readonly inFlight = new Set<string>();
  private readonly unconfirmed = new Set<string>();
  /** Every channel is unconfirmed. A flag, because this may be reported thousands of times in a row. */
  private isEveryUnconfirmed = false;
  /** Channels that the latest reassignment gave to another server: this server may still report that it dropped them. */
  private released: ReadonlySet<string> = new Set();
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

  /** Whether the server has every desired channel, but for those whose first SUBSCRIBE is unanswered. */
  get isComplete(): boolean {
    return this.connected && !this.needsRetry && this.queued.size === 0 && this.inFlight.size === 0;
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

  /** A new connection has no channels: all are queued. */
  opened(): void {
    this.forgetConnection();
    this.connected = true;
    for (const name of this.desired) this.queued.add(name);
  }

  closed(): void {
    this.forgetConnection();
    this.connected = false;
  }

  /** The SUBSCRIBE to send at once; undefined while not connected, because `opened()` queues the channel. */
  want(name: string): ChannelCommand | undefined {
    this.desired.add(name);
    return this.command([name]);
  }

  /** The UNSUBSCRIBE to send at once. */
  unwant(name: string): ChannelCommand | undefined {
    this.remove(name);
    return this.command([name]);
  }

  /** The server now owns the slots of `gained`, and no longer those of `released`, which it drops by itself. */
  reassign(gained: readonly string[], released: readonly string[]): void {
    for (const name of released) this.remove(name);
    this.released = new Set(released);
    for (const name of gained) {
      this.desired.add(name);
      if (this.connected) this.queued.add(name);
    }
  }

  /** The next SUBSCRIBE of queued channels. One at a time: undefined until the one before is answered. */
  nextBatch(): ChannelCommand | undefined {
    if (this.batch || this.queued.size === 0) return undefined;
    for (const name of this.queued) {
      if (this.inFlight.size === BATCH_MAX) break;
      this.queued.delete(name);
      this.inFlight.add(name);
    }
    this.batch = this.command([...this.inFlight]);
    return this.batch;
  }

  /** The server has subscribed these channels. */
  confirmed(command: ChannelCommand): void {
    if (this.isCurrent(command)) this.answered(command);
  }

  /** Another server owns at least one of these channels. What is queued waits too: the slot map is out of date. */
  moved(command: ChannelCommand): void {
    if (!this.isCurrent(command)) return;
    this.answered(command);
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

  /** Answers were assigned to the wrong commands: the server may lack any channel. */
  confirmationsLost(): void {
    this.isEveryUnconfirmed = this.connected;
  }

  /** Queues the unconfirmed channels again. Returns whether these were all channels. */
  retry(): boolean {
    const every = this.isEveryUnconfirmed;
    for (const name of every ? this.desired : this.unconfirmed) this.queued.add(name);
    // The answer to the current batch proves nothing if answers went to the wrong commands.
    if (every) this.inFlight.clear();
    this.unconfirmed.clear();
    this.isEveryUnconfirmed = false;
    return every;
  }

  private command(names: readonly string[]): ChannelCommand | undefined {
    return this.connected ? { names, connection: this.connection } : undefined;
  }

  private answered(command: ChannelCommand): void {
    if (command !== this.batch) return;
    this.batch = undefined;
    this.inFlight.clear();
  }

  private markUnconfirmed(name: string): void {
    if (!this.connected || !this.desired.has(name)) return;
    this.queued.delete(name);
    this.inFlight.delete(name);
    this.unconfirmed.add(name);
  }

  private remove(name: string): void {
    this.desired.delete(name);
    this.queued.delete(name);
    this.inFlight.delete(name);
    this.unconfirmed.delete(name);
  }

  private forgetConnection(): void {
    this.connection++;
    this.batch = undefined;
    this.queued.clear();
    this.inFlight.clear();
    this.unconfirmed.clear();
    this.isEveryUnconfirmed = false;
  }
}
