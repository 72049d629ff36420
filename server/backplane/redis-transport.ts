/** The interface that the backplane and the stores use; implemented for one Redis server and for a Redis Cluster. Types only. */
import type { Redis } from 'ioredis';

export interface TransportEvents {
  onMessage(name: string, payload: Buffer): void;
  /** Every subscribed channel is in place, and a canary arrived since. */
  onUp(): void;
  onDown(): void;
}

export interface RedisTransport {
  readonly isUp: boolean;
  /** Seconds since a canary arrived; of several servers, the largest value. */
  readonly canaryAgeSeconds: number;
  /**
   * Resolves after the first attempt to connect, whether it succeeded or not; attempts continue.
   * @throws Error if REDIS_CLUSTER is true for a single Redis, or false for a Redis Cluster
   */
  start(events: TransportEvents): Promise<void>;
  /** Undefined while not connected; then nothing is encoded or sent. */
  publish(name: string, encode: () => Buffer | string): Promise<unknown> | undefined;
  /** Resolves when messages published from now on will arrive, or at once while Redis is unreachable. Never rejects. */
  subscribe(name: string): Promise<void>;
  unsubscribe(name: string): void;
  /** Calls `send` with the server that owns `key`. Rejects while that server is unreachable. */
  call<T>(key: string, send: (redis: Redis) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
