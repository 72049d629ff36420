/** Keeps the tables ready: partitions made in advance, old ones dropped, the commit list short. */
import { createPool, type PoolOptions, type PostgresLogin, type Queryable } from './pool.ts';
import { dropExpired } from './retention.ts';

export async function ensurePartitions(database: Queryable, daysAhead: number): Promise<void> {
  await database.query('SELECT ensure_partitions($1)', [daysAhead]);
}

/** A node that looks less often than this makes an exact check instead (`hub/history-poll.ts`), so older rows have no reader. */
async function trimCommits(database: Queryable): Promise<void> {
  await database.query(`DELETE FROM commits WHERE at < now() - interval '10 minutes'`);
}

async function databaseSize(database: Queryable): Promise<number> {
  const { rows } = await database.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
  return Number(rows[0]?.bytes);
}

export interface MaintenanceOptions {
  readonly database: Queryable;
  /** For a connection of its own: dropping a partition waits for its readers, longer than a publish may take. */
  readonly connection: PostgresLogin & Pick<PoolOptions, 'connectTimeoutMs'>;
  /** Milliseconds between two rounds. */
  readonly intervalMs: number;
  readonly daysAhead: number;
  /** Days of messages to keep; 0: all. */
  readonly retentionDays: number;
  readonly onSize: (bytes: number) => void;
  readonly onDropped: (tables: readonly string[]) => void;
  /** `maintenance`: partitions, which are needed some days from now; `trim`: the list of commits, tried again in a minute. */
  readonly onError: (kind: 'maintenance' | 'trim', error: unknown) => void;
}

/** Longest a partition may take to be detached, milliseconds: somebody's forgotten transaction must not hold this up for ever. */
const DROP_TIMEOUT_MS = 60_000;
const TRIM_INTERVAL_MS = 60_000;

export interface Maintenance {
  stop(): void;
}

/** Runs the maintenance now and at intervals, in the background. Errors go to `onError`; the next round tries again. */
export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { database, intervalMs, daysAhead, onError } = options;
  const tidy = () => {
    ensurePartitions(database, daysAhead)
      .then(() => dropPartitions(options))
      .then(() => databaseSize(database))
      .then(options.onSize)
      .catch((error: unknown) => onError('maintenance', error));
  };
  tidy();
  // Jitter, so that nodes that started together do not work together.
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
