/**
 * A cluster in one process for property tests: the real hubs of several nodes over a simulated history, backplane, clock
 * and sockets. Everything that takes time is a task, and a seeded generator picks the next task, so any order of events can occur.
 * The order of tasks depends on actions and seed only: the length of a delay does not count.
 */
import type { Backplane, BackplaneEvents, Batch } from '../../server/backplane/types.ts';
import { AppError } from '../../server/errors.ts';
import type {
  EpochKeeper,
  HistoryReader,
  Page,
  PageQuery,
  RecentTops,
  StoredMessage,
  Tops,
} from '../../server/history/types.ts';
import type { Clock } from '../../server/hub/clock.ts';
import { Hub } from '../../server/hub/hub.ts';
import { NO_METRICS } from '../../server/telemetry/metrics.ts';
import { randomOf } from './random.ts';
import type { SimulatedClient } from './simulated-client.ts';

interface Task {
  readonly run: () => void;
  /** The world counts as at rest while only periodic tasks are left, such as the history poll. */
  readonly periodic: boolean;
}

const PERIODIC_MS = 1_000;
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

/** All messages that one epoch has ever had, by channel: what clients may receive under that epoch. */
export type EpochRecord = Map<string, StoredMessage[]>;

export class World {
  readonly random: () => number;
  readonly records = new Map<string, EpochRecord>();
  readonly clients: SimulatedClient[] = [];
  readonly nodes: SimulatedNode[];
  epoch = 'e1';
  readonly falseAlarms: string[] = [];
  /** Channel -> messages; the first retained offset may be above 1. */
  private readonly firstRetained = new Map<string, number>();
  private commits: { channel: string; top: number }[] = [];
  private tasks: Task[] = [];
  private time = 0;
  private ids = 0;
  private calm = false;
  /** Chances that a read fails, that a backplane delivery is lost or doubled, and that a commit is never announced. */
  readonly chances = { readFails: 0.05, lost: 0.15, doubled: 0.15, neverAnnounced: 0.1 };

  constructor(seed: number, nodes: number) {
    this.random = randomOf(seed);
    this.records.set(this.epoch, new Map());
    this.nodes = Array.from({ length: nodes }, () => new SimulatedNode(this));
  }

  async start(): Promise<void> {
    const starting = Promise.all(this.nodes.map((node) => node.hub.start()));
    let started = false;
    void starting.then(() => {
      started = true;
    });
    while (!started) await this.step();
  }

  happens(chance: number): boolean {
    return !this.calm && this.random() < chance;
  }

  later(run: () => void, periodic = false): () => void {
    const task = { run, periodic };
    this.tasks.push(task);
    return () => {
      this.tasks = this.tasks.filter((other) => other !== task);
    };
  }

  readonly clock: Clock = {
    now: () => this.time++,
    soon: (run) => void this.later(run),
    later: (ms, run) => this.later(run, ms >= PERIODIC_MS * 0.75),
  };

  /** Runs one random task, and the microtasks that follow from it. */
  async step(): Promise<void> {
    const index = Math.floor(this.random() * this.tasks.length);
    const [task] = this.tasks.splice(index, 1);
    task?.run();
    await tick();
  }

  messagesOf(channel: string): StoredMessage[] {
    const record = this.records.get(this.epoch) as EpochRecord;
    let messages = record.get(channel);
    if (!messages) {
      messages = [];
      record.set(channel, messages);
    }
    return messages;
  }

  topOf(channel: string): number {
    return this.messagesOf(channel).length;
  }

  /** A commit through `node`. The node announces it later, or never, as if it had died after the commit. */
  commit(node: SimulatedNode, channel: string, count: number): void {
    const messages = this.messagesOf(channel);
    const added = Array.from({ length: count }, (): StoredMessage => {
      const id = ++this.ids;
      const message = { offset: messages.length + 1, id: `id-${id}`, sender: 'ann', data: String(id), createdAt: 0 };
      messages.push(message);
      return message;
    });
    this.commits.push({ channel, top: messages.length });
    const { epoch } = this;
    if (!this.happens(this.chances.neverAnnounced)) {
      this.later(() => node.hub.committed([{ channel, epoch, messages: added }]));
    }
  }

  /** Retention: removes everything below `offset`. */
  expire(channel: string, offset: number): void {
    const first = Math.min(Math.max(offset, this.firstRetainedOf(channel)), this.topOf(channel) + 1);
    this.firstRetained.set(channel, first);
  }

  firstRetainedOf(channel: string): number {
    return this.firstRetained.get(channel) ?? 1;
  }

  /** A restore from an older backup: channels lose their newest messages, and the epoch changes. */
  restore(keep: number): void {
    const old = this.records.get(this.epoch) as EpochRecord;
    this.epoch = `e${this.records.size + 1}`;
    const kept: EpochRecord = new Map();
    for (const [channel, messages] of old) kept.set(channel, messages.slice(0, Math.floor(messages.length * keep)));
    this.records.set(this.epoch, kept);
    this.commits = [];
  }

  readonly history: HistoryReader & EpochKeeper = {
    // `restore` changes the epoch, so within one epoch no message is ever missing, and a report of one is an error of the hub.
    regressed: (epoch) => {
      this.falseAlarms.push(epoch);
      return Promise.resolve();
    },
    read: (channel, query) => this.answer(() => this.page(channel, query)),
    tops: (channels) => this.answer(() => this.tops(channels)),
    topsSince: (cursor) => this.answer(() => this.topsSince(cursor)),
  };

  /** The snapshot is taken in one task and arrives in a later one. The read may fail before the snapshot. */
  private answer<T>(take: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.later(() => {
        if (this.happens(this.chances.readFails)) {
          reject(new AppError('unavailable', 'simulated'));
          return;
        }
        const snapshot = take();
        this.later(() => resolve(snapshot));
      });
    });
  }

  private page(channel: string, query: PageQuery): Page {
    const all = this.messagesOf(channel);
    const { after, limit } = query as { after: number; limit: number };
    const messages = all
      .slice(after, after + limit)
      .filter((message) => message.offset >= this.firstRetainedOf(channel));
    return { epoch: this.epoch, top: all.length, messages };
  }

  private tops(channels: readonly string[]): Tops {
    return { epoch: this.epoch, tops: new Map(channels.map((channel) => [channel, this.topOf(channel)])) };
  }

  private topsSince(cursor: string | null): RecentTops {
    const since = cursor === null ? this.commits.length : Number(cursor);
    const tops = new Map<string, number>();
    for (const { channel, top } of this.commits.slice(since)) tops.set(channel, Math.max(top, tops.get(channel) ?? 0));
    return { epoch: this.epoch, cursor: String(this.commits.length), tops };
  }

  /** Ends all faults and runs until every client has every message. @throws Error that lists the state of each client */
  async settle(): Promise<void> {
    this.calm = true;
    for (const node of this.nodes) node.backplane.setUp(true);
    for (const client of this.clients) client.unblock();
    for (let steps = 0; steps < 5_000; steps++) {
      if (this.clients.every((client) => client.isDone) && this.tasks.every((task) => task.periodic)) return;
      await this.step();
    }
    throw new Error(`never at rest: ${this.clients.map((client) => client.describe()).join('; ')}`);
  }
}

export class SimulatedNode {
  readonly backplane: SimulatedBackplane;
  readonly hub: Hub;

  constructor(world: World) {
    this.backplane = new SimulatedBackplane(world);
    this.hub = new Hub({
      history: world.history,
      backplane: this.backplane,
      presenceStore: { keep: async () => {}, remove: async () => {}, list: async () => [] },
      metrics: NO_METRICS,
      clock: world.clock,
      // Small, so that a few messages exceed the window and a page.
      windowMessages: 4,
      windowBytes: 100_000,
      pageSize: 3,
      readConcurrency: 2,
      cacheBytes: 2_000,
      gapHoldMs: 1,
      pollIntervalMs: PERIODIC_MS,
      pollIntervalDegradedMs: PERIODIC_MS,
      flushIntervalMaxMs: 0,
      // Room for two or three messages, so that flushes and pages are cut into pieces.
      writeBytesMax: 300,
      presenceTtlMs: 30_000,
      onError: () => {},
    });
  }
}

class SimulatedBackplane implements Backplane {
  isUp = true;
  private readonly world: World;
  private readonly channels = new Set<string>();
  private events: BackplaneEvents | undefined;

  constructor(world: World) {
    this.world = world;
  }

  start(events: BackplaneEvents): Promise<void> {
    this.events = events;
    return Promise.resolve();
  }

  setUp(up: boolean): void {
    if (this.isUp === up) return;
    this.isUp = up;
    if (up) this.events?.onUp();
    else this.events?.onDown();
  }

  publish(channel: string, batch: Batch): void {
    if (!this.isUp) return;
    for (const { backplane } of this.world.nodes) {
      if (this.world.happens(this.world.chances.lost)) continue;
      const copies = this.world.happens(this.world.chances.doubled) ? 2 : 1;
      for (let i = 0; i < copies; i++) this.world.later(() => backplane.deliver(channel, batch));
    }
  }

  subscribe(channel: string): Promise<void> {
    return new Promise((resolve) => {
      this.world.later(() => {
        this.channels.add(channel);
        resolve();
      });
    });
  }

  unsubscribe(channel: string): void {
    this.channels.delete(channel);
  }

  publishEvent(): void {}
  publishPresenceHint(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }

  private deliver(channel: string, batch: Batch): void {
    if (this.isUp && this.channels.has(channel)) this.events?.onBatch(channel, batch);
  }
}
