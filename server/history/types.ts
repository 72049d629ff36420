/** The interface of the history for the hub, the edges and the publisher. Types only; `history.ts` implements it. */

/** A message to store. `data` is JSON text that is stored and sent unchanged. */
export interface NewMessage {
  readonly channel: string;
  readonly sender: string;
  readonly data: string;
  readonly clientMsgId?: string | undefined;
  /** W3C traceparent of the publish, when it is sampled. */
  readonly traceparent?: string | undefined;
}

/** Place of a message after its commit. `duplicate`: it was stored before; `offset` and `id` are those of the stored message. */
export interface Appended {
  readonly epoch: string;
  readonly offset: number;
  readonly id: string;
  /** Time of the commit, milliseconds since 1970. For a duplicate: of this attempt. */
  readonly createdAt: number;
  readonly duplicate: boolean;
}

/** A stored message. `createdAt` in milliseconds since 1970. */
export interface StoredMessage {
  readonly offset: number;
  readonly id: string;
  readonly sender: string;
  readonly data: string;
  readonly createdAt: number;
}

/** The new messages of one channel in one commit: at least one, with consecutive ascending offsets and the same `createdAt`. */
export interface Committed {
  readonly channel: string;
  readonly epoch: string;
  readonly messages: readonly StoredMessage[];
  /** traceparent of the first sampled publish among them. */
  readonly traceparent?: string | undefined;
}

/** Part of a channel, read in one snapshot. `top` is its newest offset, 0 for a channel without messages. */
export interface Page {
  readonly epoch: string;
  readonly top: number;
  readonly messages: readonly StoredMessage[];
}

/** At most `limit` messages: the oldest with an offset above `after`, or the newest below `before`. Both in ascending order. */
export type PageQuery =
  | { readonly after: number; readonly limit: number }
  | { readonly before: number; readonly limit: number };

/** Newest offset of one channel, and the epoch that it belongs to. */
export interface ChannelTop {
  readonly epoch: string;
  readonly top: number;
}

/** Newest offsets of channels. */
export interface Tops {
  readonly epoch: string;
  readonly tops: ReadonlyMap<string, number>;
}

/** Tops of the channels that grew since a poll cursor. `cursor` is the poll cursor for the next read. */
export interface RecentTops extends Tops {
  readonly cursor: string;
}

export interface HistoryReader {
  /** One page of a channel. @throws AppError `unavailable` when Postgres does not answer */
  read(channel: string, query: PageQuery): Promise<Page>;
  /** Exact tops of the named channels; channels without messages are absent from the map. @throws AppError `unavailable` */
  tops(channels: readonly string[]): Promise<Tops>;
  /** Channels that grew since `cursor`; never misses a commit. null: only a first poll cursor. @throws AppError `unavailable` */
  topsSince(cursor: string | null): Promise<RecentTops>;
}

/** Changes the epoch when the history contradicts a tail. */
export interface EpochKeeper {
  /** Committed messages of this epoch are missing: begins a new epoch. @throws AppError `unavailable` */
  regressed(epoch: string): Promise<void>;
}

export interface HistoryWriter {
  /**
   * Stores a message; resolves after the commit.
   * @throws AppError `unavailable` (retry with the same clientMsgId: the outcome may be unknown) or `overloaded`
   */
  append(message: NewMessage): Promise<Appended>;
}

export type History = HistoryReader & HistoryWriter & EpochKeeper;
