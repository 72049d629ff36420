/**
 * How the history reaches Postgres: two pools, a circuit breaker over both, and the count of statements and errors. Knows no
 * table and no statement text.
 */
import type { Metrics } from '../telemetry/metrics.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { historyAway, historyError, isOutage } from './errors.ts';
import { Database, type PostgresLogin } from './pool.ts';
import { checkWritable } from './read.ts';

export interface PostgresOptions {
  readonly login: PostgresLogin;
  readonly writeConnections: number;
  readonly readConnections: number;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly metrics: Metrics;
  /** Postgres answers after an outage, or after an idle connection broke: it may have been restarted or replaced. */
  readonly onRestored: () => void;
  readonly onError: (message: string, error: unknown, traceId?: string) => void;
}

/** Label values of `holdfast.history.statements` and `holdfast.history.errors`. */
export type StatementKind = 'append' | 'page' | 'tops' | 'recent' | 'epoch';

/** Pause between two trials during an outage, milliseconds: short for users, and few statements for a server that is starting. */
const TRIAL_INTERVAL_MS = 300;

export class Postgres {
  /** Connections for appends only: reads never delay a publish. */
  readonly writes: Database;
  readonly reads: Database;
  private readonly options: PostgresOptions;
  private readonly breaker: CircuitBreaker;
  private checking = false;

  constructor(options: PostgresOptions) {
    this.options = options;
    this.writes = this.connect(options.writeConnections);
    this.reads = this.connect(options.readConnections);
    this.breaker = new CircuitBreaker({
      trial: () => checkWritable(this.reads),
      retryMs: TRIAL_INTERVAL_MS,
      onOpen: () => {
        this.writes.replace();
        this.reads.replace();
      },
      onClose: () => {
        void this.warm();
        options.onRestored();
      },
      onTrialFailed: (error) => options.onError('Postgres does not answer or is read-only.', error),
    });
  }

  /** Whether the circuit breaker is open: statements are refused until a trial succeeds. */
  get isAway(): boolean {
    return this.breaker.isOpen;
  }

  async warm(): Promise<void> {
    await Promise.all([this.writes.warm(), this.reads.warm()]);
  }

  /** Runs a statement, counts it, and opens the circuit breaker when its error is an outage. @throws AppError */
  async run<T>(kind: StatementKind, statement: () => Promise<T>, traceId?: string): Promise<T> {
    if (this.breaker.isOpen) throw historyAway();
    const { metrics, onError } = this.options;
    metrics.add('holdfast.history.statements', 1, { kind });
    try {
      return await statement();
    } catch (error) {
      metrics.add('holdfast.history.errors', 1, { kind });
      onError(`A history statement failed (${kind}).`, error, traceId);
      if (isOutage(error)) this.breaker.trip();
      throw historyError(error);
    }
  }

  async close(): Promise<void> {
    this.breaker.stop();
    await Promise.all([this.writes.close(), this.reads.close()]);
  }

  private connect(max: number): Database {
    const { login, connectTimeoutMs, statementTimeoutMs, onError } = this.options;
    const onIdleError = (error: Error) => {
      onError('An idle Postgres connection broke.', error);
      void this.checkServer();
    };
    return new Database({ ...login, max, connectTimeoutMs, statementTimeoutMs, onIdleError });
  }

  /** An idle connection broke. Checks the server before anything is refused, because that connection alone may be affected. */
  private async checkServer(): Promise<void> {
    if (this.checking || this.breaker.isOpen) return;
    this.checking = true;
    try {
      await checkWritable(this.reads);
      this.options.onRestored();
    } catch (error) {
      if (isOutage(error)) this.breaker.trip();
    } finally {
      this.checking = false;
    }
  }
}
