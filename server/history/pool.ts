/** The Postgres connection pool, and what its errors mean. Knows no table. */
import pg from 'pg';
import { AppError } from '../errors.ts';

export interface PoolOptions {
  readonly url: string;
  readonly max: number;
  readonly connectTimeoutMs: number;
  /** 0: none. */
  readonly statementTimeoutMs: number;
  /** Connections break while idle too, when Postgres restarts; the pool replaces them. */
  readonly onIdleError: (error: Error) => void;
}

export type Pool = pg.Pool;

export function createPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max,
    connectionTimeoutMillis: options.connectTimeoutMs,
    ...(options.statementTimeoutMs > 0 && {
      statement_timeout: options.statementTimeoutMs,
      // The server's timeout ends the statement; this one ends the wait when the server itself is gone.
      query_timeout: options.statementTimeoutMs + 1_000,
    }),
    keepAlive: true,
    application_name: 'holdfast',
  });
  pool.on('error', options.onIdleError);
  return pool;
}

/**
 * SQLSTATE classes after which the same statement may succeed later: connection exceptions, transaction rollback
 * (deadlock), insufficient resources, operator intervention (shutdown, cancelled). PostgreSQL appendix A.
 */
const TEMPORARY_CLASSES = new Set(['08', '40', '53', '55', '57', '58']);

/** Node's and pg's errors of a connection that broke or never came up have no SQLSTATE. */
function isTemporary(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return true;
  // 25006: read-only, as seen while a failover is under way.
  return TEMPORARY_CLASSES.has(code.slice(0, 2)) || code === '25006';
}

/** A failed statement as the caller sees it: `unavailable` when a retry can help, else `internal`. */
export function historyError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!isTemporary(error))
    return new AppError('internal', 'The history refused the request; it is logged.', { cause: error });
  return new AppError('unavailable', 'The history cannot be reached; retry with the same client_msg_id.', {
    retryAfterMs: 1_000,
    cause: error,
  });
}
