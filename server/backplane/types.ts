/** What carries "channel X grew, here are the bytes" between nodes. A latency hint, never the truth. Types only. */

/** New messages of one channel: consecutive offsets from `first`. */
export interface Batch {
  readonly epoch: string;
  readonly first: number;
  readonly count: number;
  /** Time of the commit, milliseconds since 1970. */
  readonly createdAt: number;
  readonly traceparent?: string | undefined;
  /** The `message` frames as JSON texts in UTF-8, one per line, ready to send. */
  readonly body: Buffer;
}

export interface BackplaneEvents {
  /** May be called out of order, twice, or never for a batch: the receiver's tail sorts that out. */
  onBatch(channel: string, batch: Batch): void;
  /** An ephemeral event of another node: JSON text, ready to send. */
  onEvent(channel: string, json: string): void;
  /** Somebody on another node entered or left the presence of the channel. */
  onPresenceHint(channel: string): void;
  /** The backplane works again and all subscriptions are in place: what was missed meanwhile must be read from the history. */
  onUp(): void;
  onDown(): void;
}

/**
 * The rules an implementation must keep:
 * - nothing it does may fail a publish: a message is safe before it gets here. Errors are counted, not thrown;
 * - it remembers the subscriptions and restores them before it calls `onUp`;
 * - it never calls back for a channel that is not subscribed, and not for this node's own events.
 */
export interface Backplane {
  /** Whether what other nodes publish can arrive now. */
  readonly isUp: boolean;
  start(events: BackplaneEvents): Promise<void>;
  publish(channel: string, batch: Batch): void;
  publishEvent(channel: string, json: string): void;
  publishPresenceHint(channel: string): void;
  /** Resolves when batches published from now on will arrive, or at once when the backplane is away. Never rejects. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): void;
  close(): Promise<void>;
}

/** Members of channels across nodes, each with a time to live. All calls reject when the store is away. */
export interface PresenceStore {
  /** Makes the users members for `ttlMs` from now; also keeps those who are. */
  keep(channel: string, users: readonly string[], ttlMs: number): Promise<void>;
  remove(channel: string, user: string): Promise<void>;
  /** Users of all nodes whose time has not run out, each once, in no order. */
  list(channel: string): Promise<string[]>;
}

/** Things that may happen once. */
export interface OnceStore {
  /** true for the first claim of `id` within `ttlMs`, across nodes. Rejects when the store is away. */
  claim(id: string, ttlMs: number): Promise<boolean>;
}
