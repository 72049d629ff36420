/** Prepares Postgres before a node serves: waits until it answers, migrates, creates partitions. Its pool is closed at the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { historyError, isRefusedLogin } from './errors.ts';
import { ensurePartitions } from './maintenance.ts';
import { migrate } from './migrate.ts';
import { createPool, type Pool, type PostgresLogin } from './pool.ts';

export interface PrepareOptions {
  readonly login: PostgresLogin;
  /** Longest wait for Postgres, milliseconds. */
  readonly timeoutMs: number;
  readonly partitionDaysAhead: number;
  readonly log: (message: string) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;

/**
 * @throws Error with the last error of Postgres, when it is not reachable within the time
 * @throws the error of the migration that failed
 */
export async function prepareHistory(options: PrepareOptions): Promise<void> {
  // A separate pool without a statement timeout: a migration may take long.
  const pool = createPool({
    ...options.login,
    max: 2,
    connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, options.timeoutMs),
    statementTimeoutMs: 0,
    onIdleError: (error) => options.log(`A Postgres connection broke: ${error.message}`),
  });
  try {
    await waitForPostgres(pool, options);
    const applied = await migrate(pool);
    if (applied.length > 0) options.log(`Applied migrations: ${applied.join(', ')}.`);
    await ensurePartitions(pool, options.partitionDaysAhead);
  } finally {
    await pool.end();
  }
}

async function waitForPostgres(pool: Pool, options: PrepareOptions): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  for (let delay = RETRY_FIRST_MS; ; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
    try {
      await pool.query('SELECT 1');
      return;
    } catch (error) {
      const reason = (error as Error).message || String((error as { code?: unknown }).code);
      // A retry does not help against a wrong password or database name, unless the password rotates.
      const refused = isRefusedLogin(error) && !options.login.password;
      if (refused || historyError(error).code !== 'unavailable')
        throw new Error(`Postgres refused the connection (DATABASE_URL): ${reason}`);
      if (Date.now() + delay > deadline) {
        throw new Error(
          `Postgres (DATABASE_URL) did not answer within ${options.timeoutMs} ms (START_TIMEOUT_MS): ${reason}`,
        );
      }
      options.log(`Postgres is not reachable yet (${reason}); next try in ${delay} ms.`);
      await sleep(delay);
    }
  }
}
