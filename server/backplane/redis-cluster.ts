/**
 * A Redis Cluster: a link to every primary, and a look at which of them has what, in intervals and when one of them
 * refuses or is lost. It is up when all links are, so that every channel is heard.
 */
import type { Redis } from 'ioredis';
import { redirectionOf } from './redirection.ts';
import type { RedisLink } from './redis-link.ts';
import type { RedisTransport, TransportEvents } from './redis-transport.ts';
import { changedServers, nameOn, readSlots, type SlotMap, serverOf } from './slots.ts';

export interface RedisClusterOptions {
  /** Lazily connected: any server of the cluster, asked while no link can be. */
  readonly seed: Redis;
  /** Makes the link to a primary, `host:port`. */
  readonly link: (address: string, options: LinkOptions) => RedisLink;
  /** Beginning of the names on which this node publishes to itself. */
  readonly canaryStem: string;
  /** Time between looks while all is well, and while it is not. Milliseconds. */
  readonly refreshMs: number;
  readonly retryMs: number;
  readonly onError: (error: unknown) => void;
}

export interface LinkOptions {
  readonly names: readonly string[];
  readonly canaryChannel: string;
  readonly onMoved: () => void;
}

/** One look answers all that were refused in the meantime. Milliseconds. */
const SOON_MS = 50;

const NO_CLUSTER = new Error('REDIS_CLUSTER is true, and REDIS_URL leads to a Redis that is none. Set it to false.');
const AWAY = new Error('The Redis Cluster is not reachable.');

export class RedisCluster implements RedisTransport {
  private readonly options: RedisClusterOptions;
  private readonly names = new Set<string>();
  private readonly links = new Map<string, RedisLink>();
  private map: SlotMap | undefined;
  private events: TransportEvents | undefined;
  private up = false;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;
  private lookAgain = false;
  private readonly createdAt = performance.now();

  constructor(options: RedisClusterOptions) {
    this.options = options;
  }

  get isUp(): boolean {
    return this.up;
  }

  get canaryAgeSeconds(): number {
    const ages = [...this.links.values()].map((link) => link.canaryAgeSeconds);
    return ages.length > 0 ? Math.max(...ages) : (performance.now() - this.createdAt) / 1000;
  }

  async start(events: TransportEvents): Promise<void> {
    this.events = events;
    const { seed } = this.options;
    seed.on('ready', () => this.lookSoon());
    await seed.connect().catch(() => {
      // It goes on trying.
    });
    if (seed.status === 'ready') await this.look();
    else this.lookSoon();
  }

  publish(name: string, payload: Buffer | string): Promise<unknown> | undefined {
    return this.linkOf(name)?.publish(name, payload);
  }

  async subscribe(name: string): Promise<void> {
    this.names.add(name);
    await this.linkOf(name)?.subscribe(name);
  }

  unsubscribe(name: string): void {
    this.names.delete(name);
    this.linkOf(name)?.unsubscribe(name);
  }

  async call<T>(key: string, send: (redis: Redis) => Promise<T>): Promise<T> {
    const link = this.linkOf(key);
    if (!link) throw AWAY;
    try {
      return await link.call(key, send);
    } catch (error) {
      const redirection = redirectionOf(error);
      if (!redirection) throw error;
      if (redirection.kind === 'moved') this.lookSoon();
      const other = this.links.get(redirection.address)?.connection;
      if (!other) throw error;
      // Both leave on one connection, one behind the other. What fails here fails the next one too.
      if (redirection.kind === 'ask') other.asking().catch(() => {});
      return await send(other);
    }
  }

  async close(): Promise<void> {
    this.events = undefined;
    this.up = false;
    clearTimeout(this.timer);
    this.options.seed.disconnect();
    await Promise.all([...this.links.values()].map((link) => link.close()));
  }

  private linkOf(name: string): RedisLink | undefined {
    return this.map && this.links.get(serverOf(this.map, name));
  }

  private lookSoon(): void {
    if (this.looking) this.lookAgain = true;
    else this.lookIn(SOON_MS);
  }

  private lookIn(ms: number): void {
    clearTimeout(this.timer);
    if (!this.events) return;
    this.timer = setTimeout(() => {
      this.look().catch((error: unknown) => this.options.onError(error));
    }, ms);
    this.timer.unref();
  }

  /** @throws Error when this is no cluster; other failures are told and tried again */
  private async look(): Promise<void> {
    this.looking = true;
    this.lookAgain = false;
    try {
      await this.apply(await this.ask());
    } catch (error) {
      if (isNoCluster(error)) throw NO_CLUSTER;
      this.options.onError(error);
    } finally {
      this.looking = false;
      this.lookIn(this.lookAgain ? SOON_MS : this.up ? this.options.refreshMs : this.options.retryMs);
    }
  }

  /** Asks one server after the other, beginning with another one each time: one may be cut off from the rest. */
  private async ask(): Promise<SlotMap> {
    const servers = [...this.links.values()].flatMap((link) => link.connection ?? []);
    const first = Math.floor(Math.random() * servers.length);
    let failure: unknown = AWAY;
    for (const redis of [...servers.slice(first), ...servers.slice(0, first), this.options.seed]) {
      try {
        const { host = '', tls } = redis.options;
        return readSlots(await redis.cluster('SLOTS'), { host, preferHostname: tls !== undefined });
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** Links follow the servers, channels follow their slots. */
  private async apply(map: SlotMap): Promise<void> {
    const changed = changedServers(this.map, map);
    if (changed.size === 0 || !this.events) return;
    this.map = map;
    const names = this.namesByServer(map, changed);
    const starts: Promise<void>[] = [];
    for (const server of changed) {
      const link = this.links.get(server);
      const own = names.get(server);
      if (!own) {
        this.links.delete(server);
        link?.close().catch((error: unknown) => this.options.onError(error));
        continue;
      }
      const canaryChannel = nameOn(map, server, this.options.canaryStem);
      if (link) link.assign(own, canaryChannel);
      else starts.push(this.open(server, own, canaryChannel));
    }
    this.settle();
    await Promise.all(starts);
  }

  private open(server: string, names: readonly string[], canaryChannel: string): Promise<void> {
    const link = this.options.link(server, { names, canaryChannel, onMoved: () => this.lookSoon() });
    this.links.set(server, link);
    return link.start({
      onMessage: (name, payload) => this.events?.onMessage(name, payload),
      onUp: () => this.settle(),
      onDown: () => {
        this.settle();
        this.lookSoon();
      },
    });
  }

  /** Of those servers that have a slot; a server that has none is not in it. */
  private namesByServer(map: SlotMap, servers: ReadonlySet<string>): Map<string, string[]> {
    const names = new Map<string, string[]>();
    for (const server of map) if (servers.has(server) && !names.has(server)) names.set(server, []);
    for (const name of this.names) names.get(serverOf(map, name))?.push(name);
    return names;
  }

  private settle(): void {
    const up = this.links.size > 0 && [...this.links.values()].every((link) => link.isUp);
    if (up === this.up || !this.events) return;
    this.up = up;
    if (up) this.events.onUp();
    else this.events.onDown();
  }
}

function isNoCluster(error: unknown): boolean {
  return error instanceof Error && error.message.includes('cluster support disabled');
}
