/**
 * The way to one Redis server and back: a connection that subscribes, one for everything else, and a canary that goes
 * out through the one and comes in through the other.
 */
import type { Redis } from 'ioredis';
import type { Metrics } from '../telemetry/metrics.ts';
import { Canary } from './canary.ts';
import { CLASSIC, type PubSub } from './pub-sub.ts';
import { isMoved } from './redirection.ts';
import type { RedisTransport, TransportEvents } from './redis-transport.ts';

export interface RedisLinkOptions {
  /** Both lazily connected; the link opens and closes them. */
  readonly commands: Redis;
  readonly subscriber: Redis;
  readonly pubSub: PubSub;
  /** What to subscribe to from the beginning. */
  readonly names: readonly string[];
  /** Where this node publishes to itself. */
  readonly canaryChannel: string;
  /** How often the subscription is tested, and the silence after which it counts as deaf. Milliseconds. */
  readonly canaryIntervalMs: number;
  readonly canaryTimeoutMs: number;
  readonly metrics: Metrics;
  readonly onError: (error: unknown) => void;
  /** The server says that something is another server's. */
  readonly onMoved: () => void;
}

/** Channel names per SUBSCRIBE, so that restoring 100,000 of them does not make one huge command. */
const SUBSCRIBE_CHUNK = 1_000;

const IS_CLUSTER = new Error(
  'REDIS_URL leads to a server of a Redis Cluster, where keys and channels live on different servers. Set REDIS_CLUSTER to true.',
);

export class RedisLink implements RedisTransport {
  private readonly options: RedisLinkOptions;
  private readonly canary: Canary;
  private canaryChannel: string;
  private names: Set<string>;
  private events: TransportEvents | undefined;
  private up = false;

  constructor(options: RedisLinkOptions) {
    this.options = options;
    this.names = new Set(options.names);
    this.canaryChannel = options.canaryChannel;
    this.canary = new Canary({
      intervalMs: options.canaryIntervalMs,
      timeoutMs: options.canaryTimeoutMs,
      sing: (song) => this.sing(song),
      onDeaf: () => this.goDeaf(),
      onHeard: (seconds) => {
        options.metrics.record('holdfast.backplane.canary.duration.seconds', seconds);
        this.rise();
      },
    });
  }

  get isUp(): boolean {
    return this.up;
  }

  get canaryAgeSeconds(): number {
    return this.canary.ageSeconds;
  }

  /** For commands that are about no key; undefined when not connected. */
  get connection(): Redis | undefined {
    const { commands } = this.options;
    return commands.status === 'ready' ? commands : undefined;
  }

  async start(events: TransportEvents): Promise<void> {
    this.events = events;
    const { commands, subscriber, pubSub } = this.options;
    subscriber.on(pubSub.event, (name: Buffer, payload: Buffer) => this.receive(name, payload));
    subscriber.on('moved', () => this.options.onMoved());
    // Told so by the server, as when a cluster takes a channel away: ioredis has no command that this would answer.
    subscriber.on('error', () => subscriber.status === 'ready' && this.startOver());
    for (const redis of [commands, subscriber]) {
      redis.on('ready', () => void this.restore());
      redis.on('close', () => this.lose());
    }
    // A failed first connection is no reason not to start: ioredis goes on trying, and the node works degraded meanwhile.
    await Promise.allSettled([commands.connect(), subscriber.connect()]);
    if (await this.isWrongKind()) throw IS_CLUSTER;
  }

  publish(name: string, payload: Buffer | string): Promise<unknown> | undefined {
    const { commands, pubSub } = this.options;
    if (commands.status !== 'ready') return undefined;
    return this.noteMoves(pubSub.publish(commands, name, payload));
  }

  async subscribe(name: string): Promise<void> {
    const { subscriber, pubSub } = this.options;
    this.names.add(name);
    // Not ready: restore() will subscribe it together with the others.
    if (subscriber.status !== 'ready') return;
    try {
      await pubSub.subscribe(subscriber, [name]);
    } catch {
      // The connection broke or hangs. Start over, so that "up" again means: everything is subscribed.
      this.startOver();
    }
  }

  unsubscribe(name: string): void {
    const { subscriber, pubSub } = this.options;
    this.names.delete(name);
    if (subscriber.status !== 'ready') return;
    pubSub.unsubscribe(subscriber, name).catch(() => this.startOver());
  }

  call<T>(_key: string, send: (redis: Redis) => Promise<T>): Promise<T> {
    return send(this.options.commands);
  }

  /** From now on these names and no others; when they are others than before, on a connection that knows of none yet. */
  assign(names: readonly string[], canaryChannel: string): void {
    const isSame = names.length === this.names.size && names.every((name) => this.names.has(name));
    if (isSame && canaryChannel === this.canaryChannel) return;
    this.names = new Set(names);
    this.canaryChannel = canaryChannel;
    this.startOver();
  }

  async close(): Promise<void> {
    this.up = false;
    this.events = undefined;
    this.canary.stop();
    const { commands, subscriber } = this.options;
    subscriber.disconnect();
    // QUIT lets what was published just now leave first.
    await commands.quit().catch(() => commands.disconnect());
  }

  private receive(bytes: Buffer, payload: Buffer): void {
    const name = bytes.toString();
    if (name === this.canaryChannel) this.canary.heard(payload.toString());
    else if (this.names.has(name)) this.events?.onMessage(name, payload);
  }

  /** Subscribes everything, then sings: the link is up when that is heard. */
  private async restore(): Promise<void> {
    const { subscriber, pubSub, onError } = this.options;
    if (!this.isConnected || this.up) return;
    if (await this.isWrongKind()) {
      onError(IS_CLUSTER);
      return;
    }
    try {
      const names = [this.canaryChannel, ...this.names];
      for (let i = 0; i < names.length; i += SUBSCRIBE_CHUNK)
        await pubSub.subscribe(subscriber, names.slice(i, i + SUBSCRIBE_CHUNK));
    } catch {
      this.startOver();
      return;
    }
    if (this.isConnected && !this.up && this.events) this.canary.start();
  }

  /** A server of a cluster takes a classic subscription and half of the keys. Whoever may not ask is believed. */
  private async isWrongKind(): Promise<boolean> {
    const { pubSub, commands } = this.options;
    if (pubSub !== CLASSIC || commands.status !== 'ready') return false;
    const info = await commands.info('cluster').catch(() => '');
    return info.includes('cluster_enabled:1');
  }

  private get isConnected(): boolean {
    return this.options.subscriber.status === 'ready' && this.options.commands.status === 'ready';
  }

  /** Also writes: a primary that became a replica takes publishes, and nobody hears them; a write it refuses. */
  private sing(song: string): void {
    const { commands, pubSub, canaryTimeoutMs } = this.options;
    if (commands.status !== 'ready') return;
    // What fails here is not heard, and that is what counts.
    this.noteMoves(commands.set(this.canaryChannel, song, 'PX', canaryTimeoutMs)).catch(() => {});
    this.noteMoves(pubSub.publish(commands, this.canaryChannel, song)).catch(() => {});
  }

  private async noteMoves<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      if (isMoved(error)) this.options.onMoved();
      throw error;
    }
  }

  /** Connected, everything subscribed, and what is published arrives. */
  private rise(): void {
    if (this.up || !this.isConnected || !this.events) return;
    this.up = true;
    this.events.onUp();
  }

  /** Connected, and nothing arrives. Which of the two connections it is cannot be told: both begin anew. */
  private goDeaf(): void {
    this.options.metrics.add('holdfast.backplane.deaf', 1);
    this.startOver();
    this.options.commands.disconnect(true);
  }

  private startOver(): void {
    this.lose();
    this.options.subscriber.disconnect(true);
  }

  private lose(): void {
    this.canary.stop();
    if (!this.up) return;
    this.up = false;
    this.events?.onDown();
  }
}
