/** The history in Postgres: group commit over lanes, reads, maintenance. Knows nobody above it: it tells what it committed through a callback. */
import type { Metrics } from '../telemetry/metrics.ts';
import { recordCommit, traceIdOf } from '../telemetry/tracing.ts';
import { appendBatch } from './append.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { Lane } from './lane.ts';
import { ensurePartitions, type Maintenance, startMaintenance } from './maintenance.ts';
import { Database, historyAway, historyError, isOutage, type PostgresLogin } from './pool.ts';
import { probeWritable, readPage, readTops, readTopsSince } from './read.ts';
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
  /** Days of messages to keep; 0: all. */
  readonly retentionDays: number;
  readonly maintenanceIntervalMs: number;
  readonly metrics: Metrics;
  readonly log: (message: string) => void;
  /** `traceId`: of the trace that it belongs to, if there is one. */
  readonly onError: (message: string, error: unknown, traceId?: string) => void;
}

type StatementKind = 'append' | 'page' | 'tops' | 'recent' | 'epoch';

/** 23514: "no partition of relation found for row". The maintenance failed for days; make the partitions now and try again. */
const NO_PARTITION = '23514';

/** Pause between looks for a Postgres that is away: soon enough for people, and rare for a server that is starting. */
const PROBE_INTERVAL_MS = 300;

export class PgHistory implements History {
  /** Called with every committed batch, before its publishers are answered. Set once by the composition root. */
  onCommitted: (committed: readonly Committed[]) => void = () => {};
  /** Called when Postgres answers again after it was away, or may have been. Set once by the composition root. */
  onRestored: () => void = () => {};

  private readonly options: HistoryOptions;
  /** Two sets of connections: however many read, a publish never waits for one of them. */
  private readonly writes: Database;
  private readonly reads: Database;
  private readonly breaker: CircuitBreaker;
  private readonly lanes: readonly Lane[];
  private suspecting = false;
  /** Size of the database; undefined until the maintenance has asked. */
  private bytes: number | undefined;
  private maintenance: Maintenance | undefined;

  constructor(options: HistoryOptions) {
    this.options = options;
    this.writes = this.connect(options.lanes);
    this.reads = this.connect(options.poolMax - options.lanes);
    this.breaker = new CircuitBreaker({
      probe: () => probeWritable(this.reads),
      retryMs: PROBE_INTERVAL_MS,
      onOpen: () => {
        this.writes.replace();
        this.reads.replace();
      },
      onClose: () => this.restored(),
      onProbeFailed: (error) => options.onError('Postgres is away.', error),
    });
    this.lanes = Array.from({ length: options.lanes }, () => this.createLane());
    options.metrics.observe('holdfast.history.queue', () => Math.max(...this.lanes.map((lane) => lane.depth)));
    options.metrics.observe('holdfast.history.queue.limit', () => this.laneMax);
    options.metrics.observe('holdfast.history.connections.limit', () => options.poolMax);
    options.metrics.observe('holdfast.history.size.bytes', () => this.bytes);
    options.metrics.observe('holdfast.history.up', () => (this.breaker.isOpen ? 0 : 1));
    for (const state of ['busy', 'idle', 'waiting'] as const)
      options.metrics.observe(
        'holdfast.history.connections',
        () => this.writes.counts[state] + this.reads.counts[state],
        { state },
      );
  }

  /** Opens the connections to Postgres, and begins the maintenance. */
  async start(): Promise<void> {
    await this.warm();
    const { login, connectTimeoutMs, maintenanceIntervalMs, partitionDaysAhead, retentionDays, metrics } = this.options;
    this.maintenance = startMaintenance({
      database: this.reads,
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
    return !this.breaker.isOpen;
  }

  /** What a lane may hold: a channel always uses the same one, so this is where publishes are refused. */
  private get laneMax(): number {
    return Math.ceil(this.options.queueMax / this.options.lanes);
  }

  /** Messages that wait for a commit. */
  get queued(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.depth, 0);
  }

  append(message: NewMessage): Promise<Appended> {
    return (this.lanes[laneOf(message.channel, this.lanes.length)] as Lane).append(message);
  }

  read(channel: string, query: PageQuery): Promise<Page> {
    return this.query('page', () => readPage(this.reads, channel, query));
  }

  tops(channels: readonly string[]): Promise<Tops> {
    return this.query('tops', () => readTops(this.reads, channels));
  }

  topsSince(cursor: string | null): Promise<RecentTops> {
    return this.query('recent', () => readTopsSince(this.reads, cursor));
  }

  /**
   * The history was seen to end before messages that had been committed in this epoch: it was restored from an older
   * state. Begins a new epoch, unless somebody else has.
   */
  async regressed(epoch: string): Promise<void> {
    this.options.metrics.add('holdfast.history.regressions', 1);
    const { rows } = await this.query('epoch', () =>
      this.reads.query<{ changed: boolean }>('SELECT change_epoch_from($1) AS changed', [epoch]),
    );
    if (rows[0]?.changed) this.options.log(`The history went back (epoch ${epoch}): it has a new epoch now.`);
  }

  /** Waits for what is in flight, then closes the connections. */
  async close(): Promise<void> {
    this.maintenance?.stop();
    this.breaker.stop();
    await Promise.all([this.writes.close(), this.reads.close()]);
  }

  private connect(max: number): Database {
    const { login, connectTimeoutMs, statementTimeoutMs, onError } = this.options;
    const onIdleError = (error: Error) => {
      onError('An idle Postgres connection broke.', error);
      void this.suspect();
    };
    return new Database({ ...login, max, connectTimeoutMs, statementTimeoutMs, onIdleError });
  }

  private async warm(): Promise<void> {
    await Promise.all([this.writes.warm(), this.reads.warm()]);
  }

  private createLane(): Lane {
    const { metrics } = this.options;
    return new Lane({
      batchMax: this.options.batchMax,
      queueMax: this.laneMax,
      store: (messages) => this.store(messages),
      refusal: () => (this.breaker.isOpen ? historyAway() : undefined),
      onCommitted: (result) => this.onCommitted(result.committed),
      onBatch: (waitSeconds, size) => {
        metrics.record('holdfast.publish.stage.seconds', waitSeconds, { stage: 'queue' });
        metrics.record('holdfast.history.batch.messages', size);
      },
    });
  }

  private async store(messages: readonly NewMessage[]) {
    const begin = performance.now();
    const traceparents = messages.map((message) => message.traceparent);
    const endSpan = recordCommit(traceparents);
    try {
      const traceId = traceIdOf(traceparents.find((traceparent) => traceparent !== undefined));
      return await this.query('append', () => this.appendWithPartitions(messages), traceId);
    } finally {
      endSpan(messages.length);
      const seconds = (performance.now() - begin) / 1000;
      this.options.metrics.record('holdfast.publish.stage.seconds', seconds, { stage: 'commit' });
    }
  }

  private async appendWithPartitions(messages: readonly NewMessage[]) {
    try {
      return await appendBatch(this.writes, messages);
    } catch (error) {
      if ((error as { code?: unknown }).code !== NO_PARTITION) throw error;
      await ensurePartitions(this.writes, this.options.partitionDaysAhead);
      return appendBatch(this.writes, messages);
    }
  }

  /**
   * A connection broke while nobody used it: the server may be gone, or have been another one in between. Asked before
   * anything is refused: it may have been that connection alone.
   */
  private async suspect(): Promise<void> {
    if (this.suspecting || this.breaker.isOpen) return;
    this.suspecting = true;
    try {
      await probeWritable(this.reads);
      this.onRestored();
    } catch (error) {
      if (isOutage(error)) this.breaker.trip();
    } finally {
      this.suspecting = false;
    }
  }

  private restored(): void {
    void this.warm();
    this.onRestored();
  }

  private async query<T>(kind: StatementKind, run: () => Promise<T>, traceId?: string): Promise<T> {
    if (this.breaker.isOpen) throw historyAway();
    this.options.metrics.add('holdfast.history.statements', 1, { kind });
    try {
      return await run();
    } catch (error) {
      this.options.metrics.add('holdfast.history.errors', 1, { kind });
      this.options.onError(`A history statement failed (${kind}).`, error, traceId);
      if (isOutage(error)) this.breaker.trip();
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
