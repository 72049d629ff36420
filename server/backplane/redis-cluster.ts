/**
 * A Redis Cluster as one transport: a link to every primary, where each channel and key is routed to the owner of its slot.
 * It refreshes the slot map and lets links and channels follow it. It must never report up unless every link is up, because
 * "up" means that the messages of every channel arrive.
 */
import slotOf from 'cluster-key-slot';
import type { Redis } from 'ioredis';
import { NOT_A_CLUSTER, readSlotMap } from './read-slot-map.ts';
import { redirectionOf } from './redirection.ts';
import type { RedisLink, RedisLinkOptions } from './redis-link.ts';
import type { RedisTransport, TransportEvents } from './redis-transport.ts';
import { RefreshTimer } from './refresh-timer.ts';
import { nameOn, type Reassignment, reassignments, type SlotMap } from './slots.ts';

export interface RedisClusterOptions {
  /** Lazily connected, to any server of the cluster. It is asked for the slot map while no link can be. */
  readonly seed: Redis;
  /** Makes the link to the primary at `host:port`. */
  readonly link: (address: string, options: LinkOptions) => RedisLink;
  /** Prefix of the canary channels; the rest of each name puts it on its server. */
  readonly canaryStem: string;
  /** Interval of refreshes while the cluster is up, and while it is down. Milliseconds. */
  readonly refreshMs: number;
  readonly retryMs: number;
  readonly onError: (error: unknown) => void;
}

/** The options that differ between links. */
export type LinkOptions = Pick<RedisLinkOptions, 'names' | 'canaryChannel' | 'onMoved'>;

const UNREACHABLE = new Error('The Redis Cluster is not reachable.');
const NO_CHANGES: Reassignment = { gained: [], released: [] };

export class RedisCluster implements RedisTransport {
  private readonly options: RedisClusterOptions;
  /** Subscribed channels, and the slot of each. */
  private readonly slots = new Map<string, number>();
  private readonly links = new Map<string, RedisLink>();
  private readonly refreshTimer: RefreshTimer;
  private map: SlotMap | undefined;
  private events: TransportEvents | undefined;
  private up = false;
  /** Links go down and up one by one while they follow a new map; that is reported once, at the end. */
  private isFollowing = false;
  private readonly createdAt = performance.now();

  constructor(options: RedisClusterOptions) {
    this.options = options;
    this.refreshTimer = new RefreshTimer(() => {
      this.refresh().catch((error: unknown) => options.onError(error));
    });
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
      // ioredis retries, and reports each failure by an error event.
    });
    const starts = await this.refresh();
    await Promise.all(starts);
    seed.on('ready', () => this.up || this.refreshTimer.request());
  }

  publish(name: string, encode: () => Buffer | string): Promise<unknown> | undefined {
    return this.linkOf(name)?.publish(name, encode);
  }

  async subscribe(name: string): Promise<void> {
    this.slots.set(name, slotOf(name));
    await this.linkOf(name)?.subscribe(name);
  }

  unsubscribe(name: string): void {
    const link = this.linkOf(name);
    this.slots.delete(name);
    link?.unsubscribe(name);
  }

  /** Follows one redirection: MOVED when the slot map is out of date, ASK while a slot is being migrated. */
  async call<T>(key: string, send: (redis: Redis) => Promise<T>): Promise<T> {
    const server = this.serverOf(key);
    const link = server === undefined ? undefined : this.links.get(server);
    if (!link || server === undefined) throw UNREACHABLE;
    try {
      return await link.call(key, send);
    } catch (error) {
      const redirection = redirectionOf(error, server);
      if (!redirection) throw error;
      if (redirection.kind === 'moved') this.refreshTimer.request();
      const target = this.links.get(redirection.address)?.connection;
      if (!target) throw error;
      // Sent on the same connection just before the command. If ASKING fails, so does the command, which reports it.
      if (redirection.kind === 'ask') target.asking().catch(() => {});
      return await send(target);
    }
  }

  async close(): Promise<void> {
    this.events = undefined;
    this.up = false;
    this.refreshTimer.stop();
    this.options.seed.disconnect();
    await Promise.all([...this.links.values()].map((link) => link.close()));
  }

  private serverOf(name: string): string | undefined {
    return this.map?.owners[this.slots.get(name) ?? slotOf(name)];
  }

  private linkOf(name: string): RedisLink | undefined {
    const server = this.serverOf(name);
    return server === undefined ? undefined : this.links.get(server);
  }

  /**
   * Reads the slot map and follows it if it changed. Resolves to the starts of new links, which only `start()` waits for.
   * @throws NOT_A_CLUSTER; other failures are reported by `onError`, and the refresh is retried
   */
  private async refresh(): Promise<readonly Promise<void>[]> {
    const { seed, onError } = this.options;
    this.refreshTimer.begin();
    try {
      const servers = [...this.links.values()].flatMap((link) => link.connection ?? []);
      const map = await readSlotMap(servers, seed, this.map);
      const isNew = map.key !== this.map?.key;
      const starts = isNew ? this.follow(map) : [];
      this.refreshTimer.end(isNew ? 'changed' : 'unchanged', this.refreshIntervalMs);
      return starts;
    } catch (error) {
      this.refreshTimer.end('failed', this.refreshIntervalMs);
      if (error === NOT_A_CLUSTER) throw error;
      if (this.events) onError(error);
      return [];
    }
  }

  private get refreshIntervalMs(): number {
    return this.up ? this.options.refreshMs : this.options.retryMs;
  }

  /** Closes the links of servers that own no slot, opens those of new servers, and moves channels with their slots. */
  private follow(map: SlotMap): Promise<void>[] {
    if (!this.events) return [];
    const changes = reassignments(this.slots, this.map, map);
    this.map = map;
    this.isFollowing = true;
    try {
      const servers = new Set(map.owners);
      this.closeLinksExcept(servers);
      return [...servers].flatMap((server) => this.assign(map, server, changes.get(server) ?? NO_CHANGES) ?? []);
    } finally {
      this.isFollowing = false;
      this.update();
    }
  }

  private closeLinksExcept(servers: ReadonlySet<string>): void {
    for (const [server, link] of this.links) {
      if (servers.has(server)) continue;
      this.links.delete(server);
      link.close().catch((error: unknown) => this.options.onError(error));
    }
  }

  /** The start of the link, if it is new. */
  private assign(map: SlotMap, server: string, { gained, released }: Reassignment): Promise<void> | undefined {
    const canaryChannel = nameOn(map, server, this.options.canaryStem);
    const link = this.links.get(server);
    if (!link) return this.open(server, gained, canaryChannel);
    link.reassign(gained, released, canaryChannel);
    return undefined;
  }

  private open(server: string, names: readonly string[], canaryChannel: string): Promise<void> {
    const link = this.options.link(server, { names, canaryChannel, onMoved: () => this.refreshTimer.request() });
    this.links.set(server, link);
    return link.start({
      onMessage: (name, payload) => this.events?.onMessage(name, payload),
      onUp: () => this.update(),
      onDown: () => this.linkWentDown(),
    });
  }

  /** A lost server may have been replaced. A link that goes down to follow a new map says nothing about that. */
  private linkWentDown(): void {
    this.update();
    if (!this.isFollowing) this.refreshTimer.request();
  }

  private update(): void {
    const up = !this.isFollowing && this.links.size > 0 && [...this.links.values()].every((link) => link.isUp);
    if (up === this.up || !this.events) return;
    this.up = up;
    if (up) this.events.onUp();
    else this.events.onDown();
  }
}
