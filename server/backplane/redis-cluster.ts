/**
 * A Redis Cluster: a link to every primary, and a look at which of them has what, in intervals and when one of them
 * refuses or is lost. It is up when all links are, so that every channel is heard.
 */
import slotOf from 'cluster-key-slot';
import type { Redis } from 'ioredis';
import { redirectionOf } from './redirection.ts';
import type { RedisLink, RedisLinkOptions } from './redis-link.ts';
import type { RedisTransport, TransportEvents } from './redis-transport.ts';
import { mostCommon, nameOn, readSlots, type SlotMap } from './slots.ts';

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

/** What the cluster says of a link; the rest is the same for all. */
export type LinkOptions = Pick<RedisLinkOptions, 'names' | 'canaryChannel' | 'onMoved'>;

/** One look answers all that were refused in the meantime. Doubles while looks find nothing new. Milliseconds. */
const SOON_MS = 50;
const SOON_MAX_MS = 1_000;

const NO_CLUSTER = new Error('REDIS_CLUSTER is true, and REDIS_URL leads to a Redis that is none. Set it to false.');
const AWAY = new Error('The Redis Cluster is not reachable.');

/** Channels that go from one server to another, by server. */
interface Moves {
  readonly gained: string[];
  readonly lost: string[];
}

export class RedisCluster implements RedisTransport {
  private readonly options: RedisClusterOptions;
  /** Subscribed channels, and the slot of each. */
  private readonly names = new Map<string, number>();
  private readonly links = new Map<string, RedisLink>();
  private map: SlotMap | undefined;
  private events: TransportEvents | undefined;
  private up = false;
  private timer: NodeJS.Timeout | undefined;
  private due = Number.POSITIVE_INFINITY;
  private soonMs = SOON_MS;
  private looking = false;
  /** Somebody was refused, or lost, since the last look began. */
  private wanted = false;
  private applying = false;
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
    await seed.connect().catch(() => {
      // It goes on trying.
    });
    const links = await this.look();
    await Promise.all(links);
    seed.on('ready', () => this.up || this.lookSoon());
  }

  publish(name: string, encode: () => Buffer | string): Promise<unknown> | undefined {
    return this.linkOf(name)?.publish(name, encode);
  }

  async subscribe(name: string): Promise<void> {
    this.names.set(name, slotOf(name));
    await this.linkOf(name)?.subscribe(name);
  }

  unsubscribe(name: string): void {
    const link = this.linkOf(name);
    this.names.delete(name);
    link?.unsubscribe(name);
  }

  async call<T>(key: string, send: (redis: Redis) => Promise<T>): Promise<T> {
    const server = this.serverOf(key);
    const link = server === undefined ? undefined : this.links.get(server);
    if (!link || server === undefined) throw AWAY;
    try {
      return await link.call(key, send);
    } catch (error) {
      const redirection = redirectionOf(error, server);
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

  private serverOf(name: string): string | undefined {
    return this.map?.owners[this.names.get(name) ?? slotOf(name)];
  }

  private linkOf(name: string): RedisLink | undefined {
    const server = this.serverOf(name);
    return server === undefined ? undefined : this.links.get(server);
  }

  private lookSoon(): void {
    this.wanted = true;
    if (!this.looking) this.lookWithin(this.soonMs);
  }

  /** Never later than it was to be: refusals may come faster than looks. */
  private lookWithin(ms: number): void {
    const due = performance.now() + ms;
    if (!this.events || this.due <= due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.look().catch((error: unknown) => this.options.onError(error));
    }, ms).unref();
  }

  /**
   * Looks who has what, and follows. Resolves to what the new links do, which nobody needs to wait for.
   * @throws Error when this is no cluster; other failures are told and tried again
   */
  private async look(): Promise<readonly Promise<void>[]> {
    const { wanted } = this;
    this.looking = true;
    this.wanted = false;
    clearTimeout(this.timer);
    this.due = Number.POSITIVE_INFINITY;
    try {
      const map = await this.ask();
      const isNew = map.key !== this.map?.key;
      this.soonMs = isNew || !wanted ? SOON_MS : Math.min(this.soonMs * 2, SOON_MAX_MS);
      return isNew ? this.follow(map) : [];
    } catch (error) {
      this.soonMs = Math.min(this.soonMs * 2, SOON_MAX_MS);
      if (isNoCluster(error)) throw NO_CLUSTER;
      if (this.events) this.options.onError(error);
      return [];
    } finally {
      this.looking = false;
      const { refreshMs, retryMs } = this.options;
      this.lookWithin(this.wanted ? this.soonMs : this.up ? refreshMs : retryMs);
    }
  }

  /** Of all servers that answer, what most say; while there are none, what the seed says. */
  private async ask(): Promise<SlotMap> {
    const connections = [...this.links.values()].flatMap((link) => link.connection ?? []);
    const answers = await Promise.all(connections.map((redis) => askOne(redis).catch(() => undefined)));
    const map = mostCommon(
      answers.filter((answer) => answer !== undefined),
      this.map,
    );
    if (map) return map;
    const { seed } = this.options;
    try {
      return await askOne(seed);
    } catch (error) {
      // Open and dead: the name may lead to another server by now.
      if (error instanceof Error && error.message === 'Command timed out') seed.disconnect(true);
      throw error;
    }
  }

  /** Links follow the servers, channels follow their slots. */
  private follow(map: SlotMap): Promise<void>[] {
    if (!this.events) return [];
    const moves = this.moves(map);
    this.map = map;
    this.applying = true;
    try {
      return this.apply(map, moves);
    } finally {
      this.applying = false;
      this.settle();
    }
  }

  private apply(map: SlotMap, moves: ReadonlyMap<string, Moves>): Promise<void>[] {
    const servers = new Set(map.owners);
    for (const [server, link] of this.links) {
      if (servers.has(server)) continue;
      this.links.delete(server);
      link.close().catch((error: unknown) => this.options.onError(error));
    }
    const starts: Promise<void>[] = [];
    for (const server of servers) {
      const { gained, lost } = moves.get(server) ?? { gained: [], lost: [] };
      const canaryChannel = nameOn(map, server, this.options.canaryStem);
      const link = this.links.get(server);
      if (link) link.adopt(gained, lost, canaryChannel);
      else starts.push(this.open(server, gained, canaryChannel));
    }
    return starts;
  }

  private moves({ owners }: SlotMap): Map<string, Moves> {
    const moves = new Map<string, Moves>();
    const of = (server: string | undefined): Moves => {
      const known = moves.get(server ?? '') ?? { gained: [], lost: [] };
      moves.set(server ?? '', known);
      return known;
    };
    for (const [name, slot] of this.names) {
      const [from, to] = [this.map?.owners[slot], owners[slot]];
      if (from === to) continue;
      of(from).lost.push(name);
      of(to).gained.push(name);
    }
    return moves;
  }

  private open(server: string, names: readonly string[], canaryChannel: string): Promise<void> {
    const link = this.options.link(server, { names, canaryChannel, onMoved: () => this.lookSoon() });
    this.links.set(server, link);
    return link.start({
      onMessage: (name, payload) => this.events?.onMessage(name, payload),
      onUp: () => this.settle(),
      onDown: () => {
        this.settle();
        if (!this.applying) this.lookSoon();
      },
    });
  }

  private settle(): void {
    const up = !this.applying && this.links.size > 0 && [...this.links.values()].every((link) => link.isUp);
    if (up === this.up || !this.events) return;
    this.up = up;
    if (up) this.events.onUp();
    else this.events.onDown();
  }
}

async function askOne(redis: Redis): Promise<SlotMap> {
  const { host = '', tls } = redis.options;
  return readSlots(await redis.cluster('SLOTS'), { host, preferHostname: tls !== undefined });
}

function isNoCluster(error: unknown): boolean {
  return error instanceof Error && error.message.includes('cluster support disabled');
}
