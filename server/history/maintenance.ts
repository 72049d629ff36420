/** Maintains the tables: creates partitions in advance, drops expired ones, deletes old rows of `commits`. */
import { createPool, type PoolOptions, type PostgresLogin, type Queryable } from './pool.ts';
import { dropExpired } from './retention.ts';

export async function ensurePartitions(database: Queryable, daysAhead: number): Promise<void> {
  await database.query('SELECT ensure_partitions($1)', [daysAhead]);
}

/** Rows older than 10 minutes have no reader: with a poll cursor older than 5 minutes a node reads exact tops (`hub/history-poll.ts`). */
async function trimCommits(database: Queryable): Promise<void> {
  await database.query(`DELETE FROM commits WHERE at < now() - interval '10 minutes'`);
}

async function databaseSize(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  return Number(rows[0]?.bytes);
}

export interface MaintenanceOptions {
  readonly database: Queryable;
  /** For a separate connection: detaching a partition waits for its readers, longer than the statement timeout of the pools. */
  readonly connection: PostgresLogin & Pick<PoolOptions, 'connectTimeoutMs'>;
  /** Milliseconds between two rounds. */
  readonly intervalMs: number;
  readonly daysAhead: number;
  /** Days of messages to keep; 0: keep all. */
  readonly retentionDays: number;
  readonly onSize: (bytes: number) => void;
  readonly onDropped: (tables: readonly string[]) => void;
  /** `maintenance`: creating or dropping partitions, or reading the size; `trim`: deleting old rows of `commits`. */
  readonly onError: (kind: 'maintenance' | 'trim', error: unknown) => void;
}

/** Statement timeout for detaching a partition, milliseconds: a transaction left open elsewhere must not block retention without end. */
const DROP_TIMEOUT_MS = 60_000;
const TRIM_INTERVAL_MS = 60_000;

export interface Maintenance {
  /** The statement under way is the last one: the caller may close the pool, which waits for it. */
  stop(): void;
}

/** Runs the maintenance now and at intervals, in the background. Errors go to `onError`; the next round retries. */
export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { database, intervalMs, daysAhead, onError } = options;
  let stopped = false;
  const steps = [
    () => ensurePartitions(database, daysAhead),
    () => dropPartitions(options),
    async () => options.onSize(await databaseSize(database)),
  ];
  const runRound = async () => {
    for (const step of steps) if (!stopped) await step();
  };
  const tidy = () => void runRound().catch((error: unknown) => onError('maintenance', error));
  tidy();
  // Jitter, so that nodes that started together do not run at the same time.
  const timers = [
    setInterval(tidy, intervalMs * (0.9 + Math.random() / 5)),
    setInterval(
      () => void trimCommits(database).catch((error: unknown) => onError('trim', error)),
      TRIM_INTERVAL_MS * (1 + Math.random() / 2),
    ),
  ];
  for (const timer of timers) timer.unref();
  return {
    stop() {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
    },
  };
}

async function dropPartitions({ connection, retentionDays, onDropped, onError }: MaintenanceOptions): Promise<void> {
  const onIdleError = (error: Error) => onError('maintenance', error);
  const session = createPool({ ...connection, max: 1, statementTimeoutMs: DROP_TIMEOUT_MS, onIdleError });
  try {
    const tables = await dropExpired(session, retentionDays);
    if (tables.length > 0) onDropped(tables);
  } finally {
    await session.end();
  }
}
