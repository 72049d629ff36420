/**
 * The way to one Redis server and back: a connection that subscribes, one for everything else, and a canary that goes
 * out through the one and comes in through the other.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Metrics } from '../telemetry/metrics.ts';
import { Canary } from './canary.ts';
import { CLASSIC, type PubSub } from './pub-sub.ts';
import { isClusterDown, isMoved } from './redirection.ts';
import { isOutOfStep, takenAway } from './redis-connection.ts';
import type { RedisTransport, TransportEvents } from './redis-transport.ts';

export interface RedisLinkOptions {
  /** Both lazily connected; the link opens and closes them. */
  readonly commands: Redis;
  readonly subscriber: Redis;
  readonly pubSub: PubSub;
  /** What to subscribe to from the beginning. */
  readonly names: Iterable<string>;
  /** Where this node publishes to itself. */
  readonly canaryChannel: string;
  /** How often the subscription is tested, and the silence after which it counts as deaf. Milliseconds. */
  readonly canaryIntervalMs: number;
  readonly canaryTimeoutMs: number;
  readonly metrics: Metrics;
  readonly onError: (error: unknown) => void;
  /** The server says that something is another server's, or that a part of the cluster is lost. */
  readonly onMoved: () => void;
}

/** Channel names per SUBSCRIBE, so that restoring 100,000 of them does not make one huge command. */
const SUBSCRIBE_CHUNK = 1_000;

/** Longest that a node waits for Redis before it starts without. Milliseconds. */
const START_WAIT_MS = 5_000;

/**
 * Until a channel that the server does not have is asked for again: by then somebody has looked whose it is. Doubles while
 * all of them have to be asked for. Milliseconds.
 */
const DOUBT_MS = 250;
const DOUBT_MAX_MS = 2_000;

const MOVED = new Error('MOVED');
const IS_CLUSTER = new Error(
  'REDIS_URL leads to a server of a Redis Cluster, where keys and channels live on different servers. Set REDIS_CLUSTER to true.',
);

export class RedisLink implements RedisTransport {
  private readonly options: RedisLinkOptions;
  private readonly canary: Canary;
  private readonly names: Set<string>;
  private canaryChannel: string;
  private events: TransportEvents | undefined;
  private up = false;
  /** Each connection is open from when it is ready until it is closed or given up. */
  private subscriberOpen = false;
  private commandsOpen = false;
  /** Number of the subscriber's connection: what belongs to an earlier one is of no interest any more. */
  private generation = 0;
  /** Rounds of subscribing that are not through on this connection. */
  private pending = 0;
  /** Channels that the server does not have, and that are still to be this link's. */
  private readonly doubted = new Set<string>();
  private doubtsAll = false;
  private doubtMs = DOUBT_MS;
  private doubtTimer: NodeJS.Timeout | undefined;
  /** Channels that went to another server lately: this one may be saying so still. */
  private given: ReadonlySet<string> = new Set();
  /** Of subscribe commands that are under way. */
  private readonly unanswered = new Set<(error: Error) => void>();

  constructor(options: RedisLinkOptions) {
    this.options = options;
    this.names = new Set(options.names);
    this.canaryChannel = options.canaryChannel;
    this.canary = new Canary({
      intervalMs: options.canaryIntervalMs,
      timeoutMs: options.canaryTimeoutMs,
      sing: () => void this.sing(),
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
    return this.commandsOpen ? this.options.commands : undefined;
  }

  async start(events: TransportEvents): Promise<void> {
    this.events = events;
    const { commands, subscriber, pubSub } = this.options;
    subscriber.on(pubSub.event, (name: Buffer, payload: Buffer) => this.receive(name, payload));
    subscriber.on('ready', () => this.openSubscriber());
    subscriber.on('close', () => this.closeSubscriber());
    subscriber.on('error', (error) => this.noteError(error));
    subscriber.on('moved', () => {
      for (const reject of this.unanswered) reject(MOVED);
    });
    commands.on('ready', () => void this.openCommands());
    commands.on('close', () => {
      this.commandsOpen = false;
      this.lose();
    });
    // A failed first connection is no reason not to start: ioredis goes on trying, and the node works degraded meanwhile.
    const connected = Promise.allSettled([commands.connect(), subscriber.connect()]);
    await Promise.race([connected, sleep(START_WAIT_MS, undefined, { ref: false })]);
    if (await this.isWrongKind()) throw IS_CLUSTER;
  }

  publish(name: string, encode: () => Buffer | string): Promise<unknown> | undefined {
    const { commands, pubSub } = this.options;
    if (commands.status !== 'ready') return undefined;
    return this.noteMoves(pubSub.publish(commands, name, encode()));
  }

  async subscribe(name: string): Promise<void> {
    this.names.add(name);
    // Not open: it is subscribed together with the others.
    if (!this.subscriberOpen) return;
    const { generation } = this;
    try {
      await this.send([name]);
    } catch (error) {
      if (generation === this.generation) this.notSubscribed([name], error);
    }
  }

  unsubscribe(name: string): void {
    this.forget([name]);
    if (!this.subscriberOpen) return;
    const { generation } = this;
    this.options.pubSub.unsubscribe(this.options.subscriber, name).catch((error: unknown) => {
      if (generation !== this.generation) return;
      // It is subscribed no longer, and that was all that was wanted.
      if (isMoved(error)) this.options.onMoved();
      else this.startOver(error);
    });
  }

  call<T>(_key: string, send: (redis: Redis) => Promise<T>): Promise<T> {
    return send(this.options.commands);
  }

  /** These names are this server's now; those are no longer, and it has forgotten them by itself. */
  adopt(gained: readonly string[], lost: readonly string[], canaryChannel: string): void {
    this.forget(lost);
    this.given = new Set([...lost, this.canaryChannel]);
    for (const name of gained) this.names.add(name);
    const hasMoved = canaryChannel !== this.canaryChannel;
    this.canaryChannel = canaryChannel;
    if (gained.length > 0 || hasMoved) void this.establish(hasMoved ? [...gained, canaryChannel] : gained);
    else if (!this.up) this.singIfReady();
  }

  async close(): Promise<void> {
    this.up = false;
    this.events = undefined;
    this.canary.stop();
    clearTimeout(this.doubtTimer);
    const { commands, subscriber } = this.options;
    subscriber.disconnect();
    // QUIT lets what was published just now leave first.
    await commands.quit().catch(() => commands.disconnect());
  }

  private openSubscriber(): void {
    this.subscriberOpen = true;
    this.generation++;
    this.pending = 0;
    this.doubted.clear();
    this.doubtsAll = false;
    // The canary comes last: it is heard when all others are.
    void this.establish([...this.names, this.canaryChannel]);
  }

  private closeSubscriber(): void {
    this.subscriberOpen = false;
    this.generation++;
    this.lose();
  }

  private async openCommands(): Promise<void> {
    const { commands, onError } = this.options;
    if (await this.isWrongKind()) {
      onError(IS_CLUSTER);
      return;
    }
    this.commandsOpen = commands.status === 'ready';
    this.singIfReady();
  }

  /** A server of a cluster takes a classic subscription and half of the keys. Whoever may not ask is believed. */
  private async isWrongKind(): Promise<boolean> {
    const { pubSub, commands } = this.options;
    if (pubSub !== CLASSIC || commands.status !== 'ready') return false;
    const info = await commands.info('cluster').catch(() => '');
    return info.includes('cluster_enabled:1');
  }

  /** Subscribes these. The link is up when all such rounds are through and the canary is heard after that. */
  private async establish(names: readonly string[]): Promise<void> {
    this.lose();
    if (!this.subscriberOpen) return;
    const { generation } = this;
    this.pending++;
    let done = 0;
    try {
      for (; done < names.length && generation === this.generation; done += SUBSCRIBE_CHUNK) {
        const chunk = names.slice(done, done + SUBSCRIBE_CHUNK).filter((name) => this.isWanted(name));
        if (chunk.length > 0) await this.send(chunk);
      }
    } catch (error) {
      if (generation === this.generation) this.notSubscribed(names.slice(done), error);
    }
    if (generation !== this.generation) return;
    this.pending--;
    this.singIfReady();
  }

  /** ioredis never settles an SSUBSCRIBE that is answered with MOVED, and tells it by an event that names no channel. */
  private send(names: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.unanswered.add(reject);
      this.options.pubSub
        .subscribe(this.options.subscriber, names)
        .then(() => resolve(), reject)
        .finally(() => this.unanswered.delete(reject));
    });
  }

  private notSubscribed(names: readonly string[], error: unknown): void {
    if (isMoved(error)) this.doubt(names);
    // The connection broke or hangs. Start over, so that "up" again means: everything is subscribed.
    else this.startOver(error);
  }

  private forget(names: readonly string[]): void {
    for (const name of names) {
      this.names.delete(name);
      this.doubted.delete(name);
    }
  }

  private isWanted(name: string): boolean {
    return this.names.has(name) || name === this.canaryChannel;
  }

  private get isReady(): boolean {
    const isOpen = this.subscriberOpen && this.commandsOpen && this.events !== undefined;
    return isOpen && this.pending === 0 && this.doubted.size === 0 && !this.doubtsAll;
  }

  private singIfReady(): void {
    if (this.isReady) this.canary.start();
  }

  /** First a write: a primary that became a replica takes publishes, and nobody hears them; a write it refuses. */
  private async sing(): Promise<void> {
    const { commands, pubSub, canaryTimeoutMs } = this.options;
    try {
      await this.noteMoves(commands.set(this.canaryChannel, '', 'PX', canaryTimeoutMs)).catch((error: unknown) => {
        // A cluster that has lost a part refuses writes everywhere, and goes on carrying messages.
        if (!isClusterDown(error)) throw error;
      });
      await this.noteMoves(pubSub.publish(commands, this.canaryChannel, this.canary.song()));
    } catch {
      // What fails here is not heard, and that is what counts.
    }
  }

  private receive(bytes: Buffer, payload: Buffer): void {
    const name = bytes.toString();
    if (name === this.canaryChannel) this.canary.heard(payload.toString());
    else if (this.names.has(name)) this.events?.onMessage(name, payload);
  }

  private rise(): void {
    if (this.up || !this.isReady) return;
    this.doubtMs = DOUBT_MS;
    this.up = true;
    this.events?.onUp();
  }

  private lose(): void {
    this.canary.stop();
    if (!this.up) return;
    this.up = false;
    this.events?.onDown();
  }

  /** Connected, and nothing arrives. Which of the two connections it is cannot be told: both begin anew. */
  private goDeaf(): void {
    this.options.metrics.add('holdfast.backplane.deaf', 1);
    this.startOver();
    this.commandsOpen = false;
    this.options.commands.disconnect(true);
  }

  /** Gives up the subscriber's connection for a new one. */
  private startOver(error?: unknown): void {
    if (!this.subscriberOpen || !this.events) return;
    const { subscriber, onError } = this.options;
    if (error !== undefined && subscriber.status === 'ready') onError(error);
    this.closeSubscriber();
    subscriber.disconnect(true);
  }

  private noteError(error: Error): void {
    const name = takenAway(error);
    if (name !== undefined && this.isWanted(name)) this.doubt([name]);
    else if (name !== undefined && this.given.has(name)) return;
    // What is subscribed is no longer known.
    else if (isOutOfStep(error)) this.doubtAll();
    else if (this.options.subscriber.status === 'ready') this.startOver();
  }

  /** The server does not have these now. Soon they are another's; those that are still to be here then are subscribed again. */
  private doubt(names: readonly string[]): void {
    for (const name of names) if (this.isWanted(name)) this.doubted.add(name);
    if (this.doubted.size > 0) this.askAgainSoon();
    else this.options.onMoved();
  }

  /** The server may not have some of its channels. Which are all is asked at the end only: this may come in thousands. */
  private doubtAll(): void {
    this.doubtsAll = true;
    this.askAgainSoon();
  }

  private askAgainSoon(): void {
    this.options.onMoved();
    this.lose();
    this.doubtTimer ??= setTimeout(() => {
      this.doubtTimer = undefined;
      const { doubtsAll } = this;
      const names = doubtsAll ? [...this.names, this.canaryChannel] : [...this.doubted];
      this.doubted.clear();
      this.doubtsAll = false;
      if (doubtsAll) this.doubtMs = Math.min(2 * this.doubtMs, DOUBT_MAX_MS);
      if (names.length > 0) void this.establish(names);
      else if (!this.up) this.singIfReady();
    }, this.doubtMs).unref();
  }

  private async noteMoves<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (error) {
      if (isMoved(error) || isClusterDown(error)) this.options.onMoved();
      throw error;
    }
  }
}
