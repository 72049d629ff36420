/**
 * Types of the pushes: what a server sends in the protocol `holdfast.v1`. Commands, which clients send, are in
 * `commands.ts`. Never imports from outside this folder, because applications get these types with the client SDK.
 */
import type { ErrorCode } from './codes.ts';

/** Name of the WebSocket sub-protocol. */
export const SUBPROTOCOL = 'holdfast.v1';

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A position in a channel: the message with this offset, in this incarnation of the offsets. */
export interface Position {
  epoch: string;
  offset: number;
}

/** Why a recovery was refused. The client must treat what it holds of the channel as incomplete. */
export type RecoveryFailure =
  /** The offsets were issued again, for example after a restore from backup. Positions of the old epoch mean nothing. */
  | 'epoch_changed'
  /** Retention has removed messages after the position. */
  | 'history_expired'
  /** The position is beyond the newest message of the channel. */
  | 'position_ahead';

/** The first push after authentication. */
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
 * Answers `subscribe`. Sent again, without `id`, when history was lost under the subscription. The next `message` of the
 * channel has `offset + 1`; messages up to `top` were stored before this push.
 */
export interface Subscribed {
  type: 'subscribed';
  id?: string;
  channel: string;
  epoch: string;
  offset: number;
  top: number;
  /** true: every message after the requested position follows. false: the subscription begins after `offset`. */
  recovered: boolean;
  /** Set when messages cannot be delivered: the requested recovery failed, or history was lost later. */
  reason?: RecoveryFailure;
}

export interface Unsubscribed {
  type: 'unsubscribed';
  id?: string;
  channel: string;
}

/** A durable message. `created_at` is the time at which Postgres stored it, ISO 8601 in UTC with milliseconds. */
export interface Message {
  type: 'message';
  channel: string;
  offset: number;
  id: string;
  sender: string;
  data: Json;
  created_at: string;
}

/** The message is committed. `duplicate`: an earlier publish with the same `client_msg_id` had stored it. */
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
  /** `id` of the command that failed, if it had one. */
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
 * Presence of a channel. `users`: all present users, in the answer to the command. `joined` and `left`: changes since.
 * `partial`: Redis cannot be reached, so the node knows its own users only.
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

/** Asks the client to reconnect within `after_ms`. The server closes the connection with 1012 soon after that. */
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

/** Every push. */
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
