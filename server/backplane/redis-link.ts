/**
 * The link to one Redis server: a subscriber connection, a connection for all other Redis commands, and a canary that is published
 * on one and received on the other. The link is up while both connections are open, every channel is subscribed, and
 * canaries arrive. It must never report up on the evidence of open connections alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Metrics } from '../telemetry/metrics.ts';
import { Canary } from './canary.ts';
import { CLASSIC, type PubSub } from './pub-sub.ts';
import { isClusterDown, isMoved } from './redirection.ts';
import { isClusterMember } from './redis-connection.ts';
import { RedisSubscription } from './redis-subscription.ts';
import type { RedisTransport, TransportEvents } from './redis-transport.ts';

export interface RedisLinkOptions {
  /** Both lazily connected; the link opens and closes them. */
  readonly commands: Redis;
  readonly subscriber: Redis;
  readonly pubSub: PubSub;
  /** Channels to subscribe to as soon as the subscriber is connected. */
  readonly names: Iterable<string>;
  /** Channel on which this node publishes to itself. */
  readonly canaryChannel: string;
  /** Interval between canaries, and the silence after which the subscription counts as deaf. Milliseconds. */
  readonly canaryIntervalMs: number;
  readonly canaryTimeoutMs: number;
  readonly metrics: Metrics;
  readonly onError: (error: unknown) => void;
  /** The slot map may be out of date: the server answered MOVED or CLUSTERDOWN, or dropped a channel. */
  readonly onMoved: () => void;
}

/** Longest wait for the first connection; after it the node starts in degraded mode. Milliseconds. */
const START_WAIT_MS = 5_000;

const IS_CLUSTER = new Error(
  'REDIS_URL leads to a Redis Cluster, where keys and channels are spread over several servers. Set REDIS_CLUSTER to true.',
);

export class RedisLink implements RedisTransport {
  private readonly options: RedisLinkOptions;
  private readonly canary: Canary;
  private readonly subscription: RedisSubscription;
  private canaryChannel: string;
  private commandsOpen = false;
  private events: TransportEvents | undefined;
  private up = false;

  constructor(options: RedisLinkOptions) {
    const { subscriber, pubSub, onMoved, onError, canaryChannel } = options;
    this.options = options;
    this.canaryChannel = canaryChannel;
    this.subscription = new RedisSubscription({
      subscriber,
      pubSub,
      names: [...options.names, canaryChannel],
      onMessage: (name, payload) => this.receive(name, payload),
      onChange: () => this.update(),
      onMoved,
      onError,
    });
    this.canary = new Canary({
      intervalMs: options.canaryIntervalMs,
      timeoutMs: options.canaryTimeoutMs,
      publish: (payload) => void this.publishCanary(payload),
      onDeaf: () => this.reconnectBoth(),
      onReceived: (seconds) => {
        options.metrics.record('holdfast.backplane.canary.duration.seconds', seconds);
        this.goUp();
      },
    });
  }

  get isUp(): boolean {
    return this.up;
  }

  get canaryAgeSeconds(): number {
    return this.canary.ageSeconds;
  }

  /** For Redis commands without a key; undefined while not connected. */
  get connection(): Redis | undefined {
    return this.commandsOpen ? this.options.commands : undefined;
  }

  async start(events: TransportEvents): Promise<void> {
    this.events = events;
    const { commands } = this.options;
    commands.on('ready', () => void this.commandsOpened());
    commands.on('close', () => this.commandsClosed());
    // A failed first connection does not fail the start: ioredis retries, and the node works in degraded mode meanwhile.
    const connected = Promise.allSettled([commands.connect(), this.subscription.connect()]);
    await Promise.race([connected, sleep(START_WAIT_MS, undefined, { ref: false })]);
    if (await this.isWrongKind()) throw IS_CLUSTER;
  }

  publish(name: string, encode: () => Buffer | string): Promise<unknown> | undefined {
    const { commands, pubSub } = this.options;
    if (commands.status !== 'ready') return undefined;
    return this.reportMoves(pubSub.publish(commands, name, encode()));
  }

  subscribe(name: string): Promise<void> {
    return this.subscription.subscribe(name);
  }

  unsubscribe(name: string): void {
    this.subscription.unsubscribe(name);
  }

  call<T>(_key: string, send: (redis: Redis) => Promise<T>): Promise<T> {
    return send(this.options.commands);
  }

  /** Slots moved: the server now owns the channels `gained`, and no longer those `released`, which it drops by itself. */
  reassign(gained: readonly string[], released: readonly string[], canaryChannel: string): void {
    const { canaryChannel: previous } = this;
    this.canaryChannel = canaryChannel;
    if (canaryChannel === previous) this.subscription.reassign(gained, released);
    else this.subscription.reassign([...gained, canaryChannel], [...released, previous]);
  }

  async close(): Promise<void> {
    this.up = false;
    this.events = undefined;
    this.canary.stop();
    this.subscription.close();
    const { commands } = this.options;
    // QUIT lets Redis process what was published just before.
    await commands.quit().catch(() => commands.disconnect());
  }

  private async commandsOpened(): Promise<void> {
    const { commands, onError } = this.options;
    if (await this.isWrongKind()) {
      onError(IS_CLUSTER);
      return;
    }
    this.commandsOpen = commands.status === 'ready';
    this.update();
  }

  private commandsClosed(): void {
    this.commandsOpen = false;
    this.update();
  }

  /** A server of a cluster accepts every classic subscription, but only the keys of its own slots. */
  private async isWrongKind(): Promise<boolean> {
    const { pubSub, commands } = this.options;
    return pubSub === CLASSIC && commands.status === 'ready' && (await isClusterMember(commands));
  }

  private get isReady(): boolean {
    return this.commandsOpen && this.subscription.isComplete && this.events !== undefined;
  }

  /** Canaries run exactly while the link is ready, so that one that arrives proves that every channel is received. */
  private update(): void {
    if (!this.isReady) this.goDown();
    else if (!this.canary.isRunning) this.canary.start();
  }

  private goUp(): void {
    if (this.up || !this.isReady) return;
    this.subscription.resetRetryDelay();
    this.up = true;
    this.events?.onUp();
  }

  private goDown(): void {
    this.canary.stop();
    if (!this.up) return;
    this.up = false;
    this.events?.onDown();
  }

  private receive(name: string, payload: Buffer): void {
    if (name === this.canaryChannel) this.canary.received(payload.toString());
    else this.events?.onMessage(name, payload);
  }

  /** Writes first: a server that became a replica accepts publishes, which reach only its own subscribers, but no writes. */
  private async publishCanary(payload: string): Promise<void> {
    const { commands, pubSub, canaryTimeoutMs } = this.options;
    try {
      await this.reportMoves(commands.set(this.canaryChannel, '', 'PX', canaryTimeoutMs)).catch((error: unknown) => {
        // A cluster with uncovered slots refuses writes on every server, but still delivers messages.
        if (!isClusterDown(error)) throw error;
      });
      await this.reportMoves(pubSub.publish(commands, this.canaryChannel, payload));
    } catch {
      // A canary that is not published is not received; the canary counts it as missing.
    }
  }

  /** The subscription is deaf. Either connection may be the cause, so both are replaced. */
  private reconnectBoth(): void {
    this.options.metrics.add('holdfast.backplane.deaf', 1);
    this.subscription.reconnect();
    this.commandsOpen = false;
    this.options.commands.disconnect(true);
  }

  private async reportMoves<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      if (isMoved(error) || isClusterDown(error)) this.options.onMoved();
      throw error;
    }
  }
}
