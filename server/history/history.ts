/** The history in Postgres: group commit over lanes, reads, upkeep. Knows nobody above it: it tells what it committed through a callback. */
import type { Metrics } from '../telemetry/metrics.ts';
import { recordCommit } from '../telemetry/tracing.ts';
import { appendBatch } from './append.ts';
import { Lane } from './lane.ts';
import { Outage } from './outage.ts';
import { Database, historyAway, historyError, isOutage } from './pool.ts';
import { probeWritable, readPage, readTops, readTopsSince } from './read.ts';
import type { Appended, Committed, History, NewMessage, Page, PageQuery, RecentTops, Tops } from './types.ts';
import { ensurePartitions, startUpkeep } from './upkeep.ts';

export interface HistoryOptions {
  readonly url: string;
  readonly poolMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lanes: number;
  readonly batchMax: number;
  readonly queueMax: number;
  readonly partitionDaysAhead: number;
  readonly metrics: Metrics;
  readonly onError: (message: string, error: unknown) => void;
}

/** 23514: "no partition of relation found for row". The upkeep failed for days; make the partitions now and try again. */
const NO_PARTITION = '23514';

/** Pause between looks for a Postgres that is away: soon enough for people, and rare for a server that is starting. */
const PROBE_INTERVAL_MS = 300;

export class PgHistory implements History {
  /** Called with every committed batch, before its publishers are answered. Set once by the composition root. */
  onCommitted: (committed: readonly Committed[]) => void = () => {};
  /** Called when Postgres answers again after it was away. Set once by the composition root. */
  onRestored: () => void = () => {};

  private readonly options: HistoryOptions;
  private readonly database: Database;
  private readonly outage: Outage;
  private readonly lanes: readonly Lane[];
  private readonly stopUpkeep: () => void;

  constructor(options: HistoryOptions) {
    this.options = options;
    this.database = new Database({
      url: options.url,
      max: options.poolMax,
      connectTimeoutMs: options.connectTimeoutMs,
      statementTimeoutMs: options.statementTimeoutMs,
      onIdleError: (error) => options.onError('An idle Postgres connection broke.', error),
    });
    this.outage = new Outage({
      probe: () => probeWritable(this.database),
      retryMs: PROBE_INTERVAL_MS,
      onBegin: () => this.database.replace(),
      onEnd: () => this.restored(),
    });
    this.lanes = Array.from({ length: options.lanes }, () => this.createLane());
    const upkeep = startUpkeep(this.database, options.partitionDaysAhead, (error) =>
      options.onError('History upkeep failed.', error),
    );
    this.stopUpkeep = () => upkeep.stop();
    options.metrics.observe('holdfast.history.queue', () => this.queued);
    options.metrics.observe('holdfast.history.up', () => (this.outage.isOn ? 0 : 1));
    for (const state of ['busy', 'idle', 'waiting'] as const)
      options.metrics.observe('holdfast.history.connections', () => this.database.counts[state], { state });
  }

  /** Opens the connections to Postgres. */
  start(): Promise<void> {
    return this.database.warm();
  }

  get isReachable(): boolean {
    return !this.outage.isOn;
  }

  /** Messages that wait for a commit. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.depth, 0);
  }

  append(message: NewMessage): Promise<Appended> {
    return (this.lanes[laneOf(message.channel, this.lanes.length)] as Lane).append(message);
  }

  read(channel: string, query: PageQuery): Promise<Page> {
    return this.query('page', () => readPage(this.database, channel, query));
  }

  tops(channels: readonly string[]): Promise<Tops> {
    return this.query('tops', () => readTops(this.database, channels));
  }

  topsSince(cursor: string | null): Promise<RecentTops> {
    return this.query('recent', () => readTopsSince(this.database, cursor));
  }

  /** Waits for what is in flight, then closes the connections. */
  async close(): Promise<void> {
    this.stopUpkeep();
    this.outage.stop();
    await this.database.close();
  }

  private createLane(): Lane {
    const { metrics } = this.options;
    return new Lane({
      batchMax: this.options.batchMax,
      queueMax: Math.ceil(this.options.queueMax / this.options.lanes),
      store: (messages) => this.store(messages),
      refusal: () => (this.outage.isOn ? historyAway() : undefined),
      onCommitted: (result) => this.onCommitted(result.committed),
      onBatch: (waitSeconds, size) => {
        metrics.record('holdfast.history.lane.wait.seconds', waitSeconds);
        metrics.record('holdfast.history.batch.messages', size);
      },
    });
  }

  private async store(messages: readonly NewMessage[]) {
    const begin = performance.now();
    const endSpan = recordCommit(messages.map((message) => message.traceparent));
    try {
      return await this.query('append', () => this.appendWithPartitions(messages));
    } finally {
      endSpan(messages.length);
      this.options.metrics.record('holdfast.history.commit.duration.seconds', (performance.now() - begin) / 1000);
    }
  }

  private async appendWithPartitions(messages: readonly NewMessage[]) {
    try {
      return await appendBatch(this.database, messages);
    } catch (error) {
      if ((error as { code?: unknown }).code !== NO_PARTITION) throw error;
      await ensurePartitions(this.database, this.options.partitionDaysAhead);
      return appendBatch(this.database, messages);
    }
  }

  private restored(): void {
    void this.database.warm();
    this.onRestored();
  }

  private async query<T>(kind: 'append' | 'page' | 'tops' | 'recent', run: () => Promise<T>): Promise<T> {
    if (this.outage.isOn) throw historyAway();
    this.options.metrics.add('holdfast.history.statements', 1, { kind });
    try {
      return await run();
    } catch (error) {
      this.options.metrics.add('holdfast.history.errors', 1, { kind });
      this.options.onError(`A history statement failed (${kind}).`, error);
      if (isOutage(error)) this.outage.begin();
      throw historyError(error);
    }
  }
}

/** FNV-1a, so that a channel's lane is the same for the life of the process. */
function laneOf(channel: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < channel.length; i++) hash = Math.imul(hash ^ channel.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % lanes;
}
