/** What the hub needs of a connection, and what it hands out. Types only. */
import type { Position, Presence, Subscribed } from '../protocol/messages.ts';

/** The writing side of a connection, as the hub sees it. */
export interface Sink {
  /**
   * Writes frames that are ready to send. False: the connection is behind now; write no more until `resume` is called
   * on its subscriptions. What was given is sent in any case.
   */
  write(frames: Buffer): boolean;
  /** Whether unsent bytes are below the high-water mark. */
  readonly isClear: boolean;
  /** Whether nothing at all waits: the condition for ephemeral events. */
  readonly isIdle: boolean;
  readonly user: string;
}

export interface SubscribeRequest {
  readonly channel: string;
  readonly recover?: Position | undefined;
  /**
   * Called before the first message, and again if history is lost under the subscription: from then on, messages follow
   * `offset` without a hole.
   */
  readonly onPosition: (position: Omit<Subscribed, 'type' | 'id'>) => void;
}

/** One connection's cursor into one channel. */
export interface SubscriptionHandle {
  readonly channel: string;
  /** The connection's unsent bytes are below the high-water mark again. */
  resume(): void;
  /** Stops delivery at once. */
  close(): void;
}

/** Presence changes for one connection. */
export type PresenceListener = (change: Omit<Presence, 'type' | 'id' | 'channel'>) => void;
