/**
 * What an application sees of the SDK: options, events, the client and its subscriptions. Owns types, never behaviour.
 *
 * Times are in milliseconds. `position` is epoch + offset; a subscription is a cursor that only ever moves forward,
 * unless `onLost` says that history is gone.
 */
import type { Json, Message, Position, RecoveryFailure, Welcome } from '../protocol/messages.ts';
import type { BackoffOptions } from './backoff.ts';
import type { HoldfastError } from './errors.ts';

/** A JWT, or a function that gets one. The function is called again whenever the server refused the last token. */
export type TokenOption = string | (() => string | Promise<string>);

/** The part of the WebSocket API that the SDK uses: the browser's and `ws` both have it. */
export interface WebSocketLike {
  /** 1 is open. */
  readonly readyState: number;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  /** Only `ws` has it: ends the connection without the closing handshake. */
  terminate?(): void;
  addEventListener(type: 'open' | 'message' | 'close' | 'error', listener: (event: SocketEvent) => void): void;
}

/** What the SDK reads of a WebSocket's events. */
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
  /** Where the service is: `https://host`, with a path if it is mounted under one. */
  url: string;
  token: TokenOption;
  /** `ticket` (default) trades the token for a ten-second ticket over HTTP; `message` sends it as the first frame. */
  auth?: 'ticket' | 'message';
  /** Sent as `?affinity=`; a load balancer may choose the node by it. */
  affinity?: string;
  /** Publishes wait this long for their ack, reconnects and retries included. Default 30000. */
  publishTimeoutMs?: number;
  /** Publishes that may wait for their ack at once. Default 10000. */
  maxQueuedPublishes?: number;
  /** Publishes sent and not yet acknowledged. Keep it below the server's MAX_IN_FLIGHT_PUBLISHES. Default 256. */
  maxInFlightPublishes?: number;
  /** How long getting a ticket may take, and how long opening a connection up to `welcome`. Default 10000. */
  connectTimeoutMs?: number;
  backoff?: Partial<BackoffOptions>;
  /** Source of jitter, from 0 up to, not including, 1. Default Math.random. */
  random?: () => number;
  WebSocket?: WebSocketConstructor;
  fetch?: Fetch;
}

/**
 * `idle`: not connected yet. `connecting`: getting a ticket, opening, authenticating. `connected`: `welcome` came.
 * `waiting`: pausing before the next try. `closed`: by the application, or for good by the server.
 */
export type ClientState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';

/** Events of a client. */
export interface ClientEvents {
  state: ClientState;
  welcome: Welcome;
  /** Everything that went wrong, whether the client copes with it (`temporary`) or not. */
  error: HoldfastError;
  /** The client stopped. `error`: why, when it was not the application that closed it. */
  closed: { error?: HoldfastError };
}

/** A subscription began, or began again after a reconnect. The next message has `position.offset + 1`. */
export interface SubscribedInfo {
  channel: string;
  position: Position;
  /** Newest offset when the server answered: messages up to it are replayed, later ones are live. */
  top: number;
  /** true: everything after the position asked for follows. */
  recovered: boolean;
}

/** Messages may be missing: reload what the application holds of this channel, for instance from the history. */
export interface Loss {
  channel: string;
  /** `unexplained`: the server claimed a recovery and began elsewhere, which is a fault of the server. */
  reason: RecoveryFailure | 'unexplained';
  /** What the client had asked to go on from. */
  from: Position;
  /** Where the subscription goes on instead. */
  to: Position;
}

/** Who is typing. A `typing: false` may be lost: forget a user after some seconds without another `true`. */
export interface TypingEvent {
  channel: string;
  user: string;
  typing: boolean;
}

/** Who is there, after a change. */
export interface PresenceEvent {
  channel: string;
  /** Everybody, sorted. */
  users: string[];
  joined: string[];
  left: string[];
  /** true: the backplane is away, so only users of the same node are known. */
  partial: boolean;
}

/** Callbacks of a subscription. What they throw is reported through the client's `error` event. */
export interface SubscriptionHandlers {
  /** Go on after this position instead of from now on. */
  recover?: Position;
  onMessage: (message: Message) => unknown;
  onSubscribed?: (info: SubscribedInfo) => unknown;
  onTyping?: (event: TypingEvent) => unknown;
  onPresence?: (event: PresenceEvent) => unknown;
  onLost?: (loss: Loss) => unknown;
  /** The server refused the subscription for good; it has ended. */
  onError?: (error: HoldfastError) => unknown;
}

/** Counts since the subscription was made. */
export interface SubscriptionStats {
  /** Messages handed to the application. */
  delivered: number;
  /** Messages dropped because they had been delivered already. */
  duplicates: number;
  /** Holes seen; each led to a recovery. */
  gaps: number;
  /** Recoveries that the server confirmed. */
  recovered: number;
  /** Times that history was lost. */
  lost: number;
}

export interface Subscription {
  readonly channel: string;
  /** Of the last message delivered, or where the subscription began. null before the first `subscribed`. */
  readonly position: Position | null;
  readonly stats: Readonly<SubscriptionStats>;
  /** Ends the subscription: no callback is called after it. */
  unsubscribe(): void;
  /** Call on every key stroke: sends at most one `typing_start` per second, and `typing_stop` 3 s after the last call. */
  typing(): void;
  stopTyping(): void;
  /** Joins the presence of the channel, now and after each reconnect. */
  presence(): void;
}

/** What became of a publish. The message is committed. */
export interface PublishResult {
  offset: number;
  epoch: string;
  /** An earlier try with the same `clientMsgId` had stored it. */
  duplicate: boolean;
}

export interface HoldfastClient {
  readonly state: ClientState;
  /** Of the present connection; null without one. */
  readonly welcome: Welcome | null;
  /**
   * Connects, and keeps connected until `close()`. Resolves with the first `welcome`.
   * @throws HoldfastError when the server refuses for good, or the client is closed first
   */
  connect(): Promise<Welcome>;
  /** Ends the connection; waiting publishes reject with `closed`. `connect()` later recovers the subscriptions. */
  close(): void;
  /** The function that comes back removes the listener. */
  on<K extends keyof ClientEvents>(event: K, listener: (value: ClientEvents[K]) => unknown): () => void;
  /**
   * Follows a channel, through reconnects. May be called before `connect()`.
   * @throws HoldfastError `already_subscribed` when this client follows the channel already
   */
  subscribe(channel: string, handlers: SubscriptionHandlers): Subscription;
  /**
   * Stores a message; resolves after the Postgres commit. Retries through reconnects with the same `client_msg_id`.
   * Publishes keep their order unless the server asks to retry one; await each for a strict order.
   * @throws HoldfastError `timeout`, `queue_full`, `closed`, or the server's permanent refusal
   */
  publish(channel: string, data: Json, options?: { clientMsgId?: string }): Promise<PublishResult>;
}
