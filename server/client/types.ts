/**
 * The public types: options, events, the client and its subscriptions. Must never contain behaviour.
 *
 * All times are in milliseconds. A position is epoch + offset. A subscription is a cursor that only moves forward; the
 * exception is a loss of history, which `onLost` reports.
 */
import type { Json, Message, Position, RecoveryFailure, Welcome } from '../protocol/messages.ts';
import type { BackoffOptions } from './backoff.ts';
import type { HoldfastError } from './errors.ts';

/** A JWT, or a function that returns one. The function is called again after the server refused the token or it expired. */
export type TokenOption = string | (() => string | Promise<string>);

/** The part of the WebSocket API that the client uses. Browsers, Node 22 and `ws` implement it. */
export interface WebSocketLike {
  /** 1 means open. */
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** Ends the connection without a closing handshake. Only `ws` implements it. */
  terminate?(): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
}

/** The fields of WebSocket events that the client reads. */
export interface SocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ClientOptions {
  /** Address of the service: `https://host`, with a path if the service is mounted under one. */
  url: string;
  token: TokenOption;
  /** `ticket` (default): exchange the token over HTTP for a ticket that is valid for ten seconds. `message`: send the token as the first frame. */
  auth?: 'ticket' | 'message';
  /** Sent as `?affinity=`. A load balancer may choose the node by it. */
  affinity?: string;
  /** Deadline of a publish, from the call to the ack, reconnects and retries included. Default 30000. */
  publishTimeoutMs?: number;
  /** Maximum of publishes without an ack. Further ones reject with `queue_full`. Default 10000. */
  maxQueuedPublishes?: number;
  /** Maximum of publishes sent and not acknowledged. Keep it below MAX_IN_FLIGHT_PUBLISHES of the server. Default 256. */
  maxInFlightPublishes?: number;
  /** Timeout of the ticket request, and separately of the connection up to `welcome`. Default 10000. */
  connectTimeoutMs?: number;
  backoff?: Partial<BackoffOptions>;
  /** Source of jitter; returns a number in [0, 1). Default Math.random. */
  random?: () => number;
  /** Default: the global WebSocket; on Node 20, the package `ws`. */
  WebSocket?: WebSocketConstructor;
  /** Default: the global fetch. */
  fetch?: Fetch;
}

/**
 * `idle`: before the first `connect()`. `connecting`: requesting a ticket, opening, authenticating. `connected`: after
 * `welcome`. `waiting`: backoff before the next attempt. `closed`: after `close()` or a permanent error.
 */
export type ClientState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';

/** Events of a client. */
export interface ClientEvents {
  state: ClientState;
  welcome: Welcome;
  /** Any failure of the connection, a subscription or a callback. After a `temporary` one the client retries. */
  error: HoldfastError;
  /** The client has stopped. `error` is the reason; it is absent after `close()`. */
  closed: { error?: HoldfastError };
}

/** A subscription began, or began again after a reconnect. The next message has the offset `position.offset + 1`. */
export interface SubscribedInfo {
  channel: string;
  position: Position;
  /** Newest offset of the channel when the server answered. Messages up to it are replayed, later ones are live. */
  top: number;
  /** true: all messages after the requested position follow. */
  recovered: boolean;
}

/** Messages may be missing. Reload the data of this channel, for example from the history over HTTP. */
export interface Loss {
  channel: string;
  /** `unexplained`: the server began at another position and gave no reason, which is a fault of the server. */
  reason: RecoveryFailure | 'unexplained';
  /** The position that the client asked to continue from. */
  from: Position;
  /** The position that the subscription continues from. */
  to: Position;
}

/** A user began or stopped typing. `typing: false` may be lost: clear a user after 5 s without another `true`. */
export interface TypingEvent {
  channel: string;
  user: string;
  typing: boolean;
}

/** The users present in a channel, after a change. */
export interface PresenceEvent {
  channel: string;
  /** All present users, sorted. */
  users: string[];
  joined: string[];
  left: string[];
  /** true: Redis is unavailable, so only the users of this node are listed. */
  partial: boolean;
}

/** Callbacks of a subscription. An exception or rejection is reported as an `error` event of the client. */
export interface SubscriptionHandlers {
  /** Continue after this position. Default: only messages that are stored after the subscription began. */
  recover?: Position;
  onMessage: (message: Message) => unknown;
  onSubscribed?: (info: SubscribedInfo) => unknown;
  onTyping?: (event: TypingEvent) => unknown;
  onPresence?: (event: PresenceEvent) => unknown;
  onLost?: (loss: Loss) => unknown;
  /** The server refused the subscription permanently. The subscription has ended. */
  onError?: (error: HoldfastError) => unknown;
}

/** Counters since the call of `subscribe`. */
export interface SubscriptionStats {
  /** Messages passed to `onMessage`. */
  delivered: number;
  /** Messages dropped because they had been delivered before. */
  duplicates: number;
  /** Holes between two messages; each led to a recovery. */
  gaps: number;
  /** Recoveries that the server confirmed. */
  recovered: number;
  /** Losses, each reported through `onLost`. */
  lost: number;
}

export interface Subscription {
  readonly channel: string;
  /** Position of the last delivered message, or of the start. null before the first `subscribed` unless `recover` was given. */
  readonly position: Position | null;
  readonly stats: Readonly<SubscriptionStats>;
  /** Ends the subscription. No callback is called afterwards. */
  unsubscribe(): void;
  /** Call on every keystroke. Sends at most one `typing_start` per second, and `typing_stop` 3 s after the last call. */
  typing(): void;
  /** Sends `typing_stop` at once, for example when the message is sent. */
  stopTyping(): void;
  /** Joins the presence of the channel, now and after each reconnect. */
  presence(): void;
}

/** Result of a publish. The message is committed. */
export interface PublishResult {
  offset: number;
  epoch: string;
  /** true: an earlier attempt with the same `clientMsgId` had stored the message. */
  duplicate: boolean;
}

export interface HoldfastClient {
  readonly state: ClientState;
  /** `welcome` of the current connection; null while not connected. */
  readonly welcome: Welcome | null;
  /**
   * Connects, and reconnects until `close()` or a permanent error. Resolves with the current or next `welcome`.
   * @throws HoldfastError on a permanent error, or `closed` when `close()` comes first
   */
  connect(): Promise<Welcome>;
  /** Ends the connection and rejects waiting publishes with `closed`. A later `connect()` recovers the subscriptions. */
  close(): void;
  /** Adds a listener and returns a function that removes it. */
  on<K extends keyof ClientEvents>(event: K, listener: (value: ClientEvents[K]) => unknown): () => void;
  /**
   * Subscribes to a channel and stays subscribed through reconnects. May be called before `connect()`.
   * @throws HoldfastError `already_subscribed` when this client is subscribed to the channel
   */
  subscribe(channel: string, handlers: SubscriptionHandlers): Subscription;
  /**
   * Stores a message; resolves after the Postgres commit. Retries through reconnects with the same `client_msg_id`.
   * Publishes keep their order unless the server asks to retry one of them. Await each publish for a strict order.
   * @throws HoldfastError `timeout`, `queue_full`, `closed`, `too_large`, or a permanent error of the server
   */
  publish(channel: string, data: Json, options?: { clientMsgId?: string }): Promise<PublishResult>;
}
