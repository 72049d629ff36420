/**
 * The backplane announces committed messages and ephemeral events to other nodes, and the stores share presence and
 * used ids. The history alone decides what was published: the backplane only makes delivery fast. Types only.
 */

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
  /** Batches may arrive out of order, twice, or never; the tail of the channel corrects that. */
  onBatch(channel: string, batch: Batch): void;
  /** An ephemeral event from another node: JSON text, ready to send. */
  onEvent(channel: string, json: string): void;
  /** A user on another node joined or left the presence of the channel. */
  onPresenceHint(channel: string): void;
  /** Every subscribed channel is in place again. Messages missed meanwhile must be read from the history. */
  onUp(): void;
  onDown(): void;
}

/**
 * An implementation must keep these rules:
 * - It never fails a publish, because the message is already committed. It counts errors instead of throwing them.
 * - It remembers subscriptions, and restores them before it calls `onUp`.
 * - It calls back only for subscribed channels, and never with this node's own events.
 */
export interface Backplane {
  /** Whether messages that other nodes publish arrive now. */
  readonly isUp: boolean;
  start(events: BackplaneEvents): Promise<void>;
  publish(channel: string, batch: Batch): void;
  publishEvent(channel: string, json: string): void;
  publishPresenceHint(channel: string): void;
  /** Resolves when batches published from now on will arrive, or at once while the backplane is down. Never rejects. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): void;
  close(): Promise<void>;
}

/** Members of channels across nodes, each with a time to live. All calls reject while the store is unreachable. */
export interface PresenceStore {
  /** Adds the users as members, or extends their membership, until `ttlMs` from now. */
  keep(channel: string, users: readonly string[], ttlMs: number): Promise<void>;
  remove(channel: string, user: string): Promise<void>;
  /** Users of all nodes whose membership has not expired: each once, in no particular order. */
  list(channel: string): Promise<string[]>;
}

/** Ids that can be taken once, for single-use tickets. */
export interface OnceStore {
  /** Takes `id`. @returns whether it was not taken yet within `ttlMs`, across nodes. Rejects while the store is unreachable. */
  take(id: string, ttlMs: number): Promise<boolean>;
}
