/** The interface between the hub and connections. Types only. */
import type { Position, Presence, Subscribed } from '../protocol/messages.ts';

/** The writing side of a connection, as the hub sees it. */
export interface Sink {
  /**
   * Writes encoded frames. They are sent in any case. False: the connection is above its high-water mark; write no more until
   * `resume` is called on its subscriptions.
   */
  write(frames: Buffer): boolean;
  /** Whether unsent bytes are below the high-water mark. */
  readonly isClear: boolean;
  /** Whether there are no unsent bytes: the condition for ephemeral events. */
  readonly isIdle: boolean;
  readonly user: string;
}

export interface SubscribeRequest {
  readonly channel: string;
  readonly recover?: Position | undefined;
  /**
   * Called before the first message, and again when the epoch changes or messages are lost. Messages then follow `offset`
   * without a hole.
   */
  readonly onPosition: (position: Omit<Subscribed, 'type' | 'id'>) => void;
}

/** The subscription of one connection to one channel. */
export interface SubscriptionHandle {
  readonly channel: string;
  /** The connection has sent its bytes: continues the catch-up. */
  resume(): void;
  /** Stops delivery at once. */
  close(): void;
}

/** Presence changes for one connection. */
export type PresenceListener = (change: Omit<Presence, 'type' | 'id' | 'channel'>) => void;
