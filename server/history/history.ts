/**
 * The history in Postgres: group commit over lanes, reads, maintenance. Knows no hub and no backplane: it reports commits through
 * `onCommitted`.
 */
import type { Metrics } from '../telemetry/metrics.ts';
import { recordCommit, traceIdOf } from '../telemetry/tracing.ts';
import { type AppendResult, appendBatch } from './append.ts';
import { historyAway } from './errors.ts';
import { Lane } from './lane.ts';
import { ensurePartitions, type Maintenance, startMaintenance } from './maintenance.ts';
import type { PostgresLogin } from './pool.ts';
import { Postgres } from './postgres.ts';
import { readPage, readTops, readTopsSince } from './read.ts';
import { answerAll, separateRetries } from './retries.ts';
import type { Appended, Committed, History, NewMessage, Page, PageQuery, RecentTops, Tops } from './types.ts';

export interface HistoryOptions {
  readonly login: PostgresLogin;
  readonly poolMax: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly lanes: number;
  readonly batchMax: number;
  readonly queueMax: number;
  readonly partitionDaysAhead: number;
  /** Days of messages to keep; 0: keep all. */
  readonly retentionDays: number;
  readonly maintenanceIntervalMs: number;
  readonly metrics: Metrics;
  readonly log: (message: string) => void;
  /** `traceId`: the trace of the failed publish, if it is sampled. */
  readonly onError: (message: string, error: unknown, traceId?: string) => void;
}

/** SQLSTATE of "no partition of relation found for row": maintenance has failed for days, so the partitions are made now. */
const NO_PARTITION = '23514';

export class PgHistory implements History {
  /** Called with every commit, before its publishers are answered. Set once by the composition root. */
  onCommitted: (commits: readonly Committed[]) => void = () => {};
  /** Called when Postgres answers again after it was away, or may have been. Set once by the composition root. */
  onRestored: () => void = () => {};

  private readonly options: HistoryOptions;
  private readonly postgres: Postgres;
  private readonly lanes: readonly Lane[];
  /** Size of the database; undefined until the first maintenance. */
  private bytes: number | undefined;
  private maintenance: Maintenance | undefined;

  constructor(options: HistoryOptions) {
    this.options = options;
    this.postgres = new Postgres({
      ...options,
      writeConnections: options.lanes,
      readConnections: options.poolMax - options.lanes,
      onRestored: () => this.onRestored(),
    });
    const laneOptions = {
      batchMax: options.batchMax,
      queueMax: Math.ceil(options.queueMax / options.lanes),
      commit: (messages: readonly NewMessage[], queuedSeconds: number) => this.commit(messages, queuedSeconds),
    };
    this.lanes = Array.from({ length: options.lanes }, () => new Lane(laneOptions));
    this.observe(laneOptions.queueMax);
  }

  /** Opens the connections to Postgres and starts the maintenance. */
  async start(): Promise<void> {
    await this.postgres.warm();
    const { login, connectTimeoutMs, maintenanceIntervalMs, partitionDaysAhead, retentionDays, metrics } = this.options;
    this.maintenance = startMaintenance({
      database: this.postgres.reads,
      connection: { ...login, connectTimeoutMs },
      intervalMs: maintenanceIntervalMs,
      daysAhead: partitionDaysAhead,
      retentionDays,
      onSize: (bytes) => {
        this.bytes = bytes;
      },
      onDropped: (tables) => {
        metrics.add('holdfast.history.partitions.dropped', tables.length);
        this.options.log(`Retention dropped ${tables.join(', ')}.`);
      },
      onError: (kind, error) => {
        metrics.add('holdfast.history.errors', 1, { kind });
        this.options.onError(`History maintenance failed (${kind}).`, error);
      },
    });
  }

  get isReachable(): boolean {
    return !this.postgres.isAway;
  }

  /** Messages that wait for a commit. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.depth, 0);
  }

  append(message: NewMessage): Promise<Appended> {
    if (this.postgres.isAway) return Promise.reject(historyAway());
    return (this.lanes[laneOf(message.channel, this.lanes.length)] as Lane).append(message);
  }

  read(channel: string, query: PageQuery): Promise<Page> {
    return this.postgres.run('page', () => readPage(this.postgres.reads, channel, query));
  }

  tops(channels: readonly string[]): Promise<Tops> {
    return this.postgres.run('tops', () => readTops(this.postgres.reads, channels));
  }

  topsSince(cursor: string | null): Promise<RecentTops> {
    return this.postgres.run('recent', () => readTopsSince(this.postgres.reads, cursor));
  }

  /**
   * Messages that were committed in this epoch are missing: the database was restored from an older state, or a failover
   * lost commits. Begins a new epoch, unless another node has.
   */
  async regressed(epoch: string): Promise<void> {
    this.options.metrics.add('holdfast.history.regressions', 1);
    const { rows } = await this.postgres.run('epoch', () =>
      this.postgres.reads.query<{ changed: boolean }>('SELECT change_epoch_from($1) AS changed', [epoch]),
    );
    if (rows[0]?.changed)
      this.options.log(`The history lacks messages that were committed in epoch ${epoch}: a new epoch has begun.`);
  }

  /** Waits for statements in flight, at most 2 s, and closes the connections. */
  async close(): Promise<void> {
    this.maintenance?.stop();
    await this.postgres.close();
  }

  private observe(laneMax: number): void {
    const { metrics, poolMax } = this.options;
    const { writes, reads } = this.postgres;
    metrics.observe('holdfast.history.queue', () => Math.max(...this.lanes.map((lane) => lane.depth)));
    metrics.observe('holdfast.history.queue.limit', () => laneMax);
    metrics.observe('holdfast.history.connections.limit', () => poolMax);
    metrics.observe('holdfast.history.size.bytes', () => this.bytes);
    metrics.observe('holdfast.history.up', () => (this.postgres.isAway ? 0 : 1));
    for (const state of ['busy', 'idle', 'waiting'] as const)
      metrics.observe('holdfast.history.connections', () => writes.counts[state] + reads.counts[state], { state });
  }

  private async commit(batch: readonly NewMessage[], queuedSeconds: number): Promise<readonly Appended[]> {
    if (this.postgres.isAway) throw historyAway();
    const { metrics } = this.options;
    metrics.record('holdfast.publish.stage.seconds', queuedSeconds, { stage: 'queue' });
    metrics.record('holdfast.history.batch.messages', batch.length);
    const { messages, indexes } = separateRetries(batch);
    const { appended, committed } = await this.store(messages);
    this.onCommitted(committed);
    return answerAll(indexes, appended);
  }

  private async store(messages: readonly NewMessage[]): Promise<AppendResult> {
    const begin = performance.now();
    const traceparents = messages.map((message) => message.traceparent);
    const endSpan = recordCommit(traceparents);
    try {
      const traceId = traceIdOf(traceparents.find((traceparent) => traceparent !== undefined));
      return await this.postgres.run('append', () => this.appendWithPartitions(messages), traceId);
    } finally {
      endSpan(messages.length);
      const seconds = (performance.now() - begin) / 1000;
      this.options.metrics.record('holdfast.publish.stage.seconds', seconds, { stage: 'commit' });
    }
  }

  private async appendWithPartitions(messages: readonly NewMessage[]): Promise<AppendResult> {
    const { writes } = this.postgres;
    try {
      return await appendBatch(writes, messages);
    } catch (error) {
      if ((error as { code?: unknown }).code !== NO_PARTITION) throw error;
      await ensurePartitions(writes, this.options.partitionDaysAhead);
      return appendBatch(writes, messages);
    }
  }
}

/** FNV-1a hash: a channel always uses the same lane. */
function laneOf(channel: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < channel.length; i++) hash = Math.imul(hash ^ channel.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % lanes;
}
