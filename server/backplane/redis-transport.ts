/** What the backplane and the stores need of Redis, whether that is one server or a Redis Cluster. Types only. */
import type { Redis } from 'ioredis';

export interface TransportEvents {
  onMessage(name: string, payload: Buffer): void;
  /** Every subscription is in place, and what is published arrives. */
  onUp(): void;
  onDown(): void;
}

export interface RedisTransport {
  readonly isUp: boolean;
  /** Seconds since the canary was heard; with several servers, the one that is silent for longest. */
  readonly canaryAgeSeconds: number;
  /**
   * Resolves when connected, or when that failed: it goes on trying.
   * @throws Error when the server is of another kind than REDIS_CLUSTER says
   */
  start(events: TransportEvents): Promise<void>;
  /** Undefined when not connected: nothing was encoded or sent. */
  publish(name: string, encode: () => Buffer | string): Promise<unknown> | undefined;
  /** Resolves when what is published from now on will arrive, or at once when Redis is away. Never rejects. */
  subscribe(name: string): Promise<void>;
  unsubscribe(name: string): void;
  /** Has `send` send one command about `key` to the server that holds it. Rejects when that is away. */
  call<T>(key: string, send: (redis: Redis) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
