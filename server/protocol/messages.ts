/**
 * The types of what a server sends in the protocol `holdfast.v1`: replies and pushes. What a client sends is in
 * `commands.ts`. Types only, and of nothing but this folder: applications see them through the client.
 */
import type { ErrorCode } from './codes.ts';

/** The WebSocket sub-protocol that this codec speaks. */
export const SUBPROTOCOL = 'holdfast.v1';

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A place in a channel. */
export interface Position {
  epoch: string;
  offset: number;
}

/** Why a recovery was refused: the client has to treat what it holds of the channel as incomplete. */
export type RecoveryFailure =
  /** The offsets were re-issued since (restore from backup): positions of the old epoch mean nothing. */
  | 'epoch_changed'
  /** Messages after the position are no longer in the history (retention). */
  | 'history_expired'
  /** The position lies beyond the channel's newest message. */
  | 'position_ahead';

/** First push on an authenticated connection. Times in milliseconds. */
export interface Welcome {
  type: 'welcome';
  connection_id: string;
  node_id: string;
  user: string;
  heartbeat_interval_ms: number;
  heartbeat_timeout_ms: number;
  max_payload_bytes: number;
}

/**
 * Answers `subscribe`, and may come again when history was lost under a live subscription.
 * The next `message` of this channel has `offset + 1`. Up to `top` they are replayed; live begins after it.
 */
export interface Subscribed {
  type: 'subscribed';
  id?: string;
  channel: string;
  epoch: string;
  offset: number;
  top: number;
  /** true: everything after the requested position follows. false: the subscription begins at `offset`. */
  recovered: boolean;
  /** Only when a recovery was asked for, or was owed, and could not be given. */
  reason?: RecoveryFailure;
}

export interface Unsubscribed {
  type: 'unsubscribed';
  id?: string;
  channel: string;
}

/** A durable message. `created_at` is the time of the commit, ISO 8601 with milliseconds. */
export interface Message {
  type: 'message';
  channel: string;
  offset: number;
  id: string;
  sender: string;
  data: Json;
  created_at: string;
}

/** The message is committed. `duplicate`: it was already, by an earlier try with the same client_msg_id. */
export interface Ack {
  type: 'ack';
  id: string;
  channel: string;
  offset: number;
  epoch: string;
  duplicate?: true;
}

export interface ErrorPush {
  type: 'error';
  /** `id` of the command that failed, when it had one. */
  id?: string;
  channel?: string;
  code: ErrorCode;
  message: string;
  retry_after_ms?: number;
}

export interface Typing {
  type: 'typing';
  channel: string;
  user: string;
  typing: boolean;
}

/**
 * Presence of a channel. `users`: everybody, once, as the answer to the command. `joined`/`left`: changes since.
 * `partial`: Redis is away, so only this node's users are known.
 */
export interface Presence {
  type: 'presence';
  id?: string;
  channel: string;
  users?: string[];
  joined?: string[];
  left?: string[];
  partial?: true;
}

/** Please reconnect within `after_ms`; the server closes with 1012 soon after. */
export interface Reconnect {
  type: 'reconnect';
  after_ms: number;
  reason: 'draining';
}

export interface Ping {
  type: 'ping';
}

export interface Pong {
  type: 'pong';
}

/** Everything that a server sends. */
export type Push =
  | Welcome
  | Subscribed
  | Unsubscribed
  | Message
  | Ack
  | ErrorPush
  | Typing
  | Presence
  | Reconnect
  | Ping
  | Pong;
