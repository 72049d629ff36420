/** The Postgres connections, and what their errors mean. Knows no table. */
import pg from 'pg';
import { AppError } from '../errors.ts';

/** Where Postgres is, and how it knows us and we know it. */
export interface PostgresLogin {
  readonly url: string;
  /** Asked for by each new connection, in place of a password in the URL. */
  readonly password?: (() => Promise<string>) | undefined;
  /** Certificates, PEM, that the server's must lead to; its name is checked too. Default: as the URL's sslmode says. */
  readonly ca?: readonly string[] | undefined;
}

export interface PoolOptions extends PostgresLogin {
  readonly max: number;
  readonly connectTimeoutMs: number;
  /** 0: none. */
  readonly statementTimeoutMs: number;
  /** Connections break while idle too, when Postgres restarts; the pool replaces them. */
  readonly onIdleError: (error: Error) => void;
}

export type Pool = pg.Pool;

/** What runs statements. */
export type Queryable = Pick<pg.Pool, 'query'>;

export function createPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    ...connectionTo(options),
    max: options.max,
    connectionTimeoutMillis: options.connectTimeoutMs,
    ...(options.statementTimeoutMs > 0 && {
      statement_timeout: options.statementTimeoutMs,
      // The server's timeout ends the statement; this one ends the wait when the server itself is gone.
      query_timeout: options.statementTimeoutMs + 1_000,
    }),
    keepAlive: true,
    // Opened once and kept: when others use up the server's connections, this node still has its own.
    idleTimeoutMillis: 0,
    application_name: 'holdfast',
  });
  pool.on('error', (error: Error & { client?: unknown }) => {
    // The whole client hangs on it, with its connection's settings: nothing for a log.
    delete error.client;
    options.onIdleError(error);
  });
  // A client that is lent out has no listener but the borrower's; an error between two statements would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** pg lets the URL win over everything beside it, so with a password or certificates of their own it is taken apart. */
function connectionTo({ url, password, ca }: PostgresLogin): pg.PoolConfig {
  if (!password && !ca) return { connectionString: url };
  const { hostname, port, username, password: inUrl, pathname, searchParams } = new URL(url);
  return {
    host: decodeURIComponent(hostname).replace(/^\[|\]$/g, ''),
    port: Number(port || 5_432),
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
    password: password ?? decodeURIComponent(inUrl),
    ssl: ca || VERIFYING_MODES.has(searchParams.get('sslmode') ?? '') ? { ...(ca && { ca: [...ca] }) } : false,
  };
}

/** With these, pg checks the server's certificate. */
export const VERIFYING_MODES: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);

/** What pg-pool says after `connectionTimeoutMillis`, whether it waited for a free connection or for a new one. */
const WAITED_TOO_LONG = 'timeout exceeded when trying to connect';

/** Longest wait for connections to close, milliseconds; those to a server that is gone never do. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * A pool that can be exchanged for a fresh one. When a server vanishes without a word, each of its connections would
 * have to be found out by a timeout of its own.
 */
export class Database implements Queryable {
  private readonly options: PoolOptions;
  private pool: Pool;

  constructor(options: PoolOptions) {
    this.options = options;
    this.pool = createPool(options);
  }

  /**
   * As of the pool; on the pool of this moment.
   * @throws AppError `overloaded` when every connection is in use for too long: that is no outage, and must not become one
   */
  readonly query = (async (...args: Parameters<Pool['query']>) => {
    const { pool } = this;
    // As of now: when it fails, those that were busy may just have been closed.
    const isFull = pool.totalCount >= this.options.max && pool.idleCount === 0;
    try {
      return await pool.query(...args);
    } catch (error) {
      if (isFull && (error as Error).message === WAITED_TOO_LONG)
        throw new AppError('overloaded', 'All connections to the history are in use; retry.', { retryAfterMs: 1_000 });
      throw error;
    }
  }) as unknown as Pool['query'];

  get counts(): { readonly busy: number; readonly idle: number; readonly waiting: number } {
    const { totalCount, idleCount, waitingCount } = this.pool;
    return { busy: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
  }

  /** Opens all connections, so that they are there when they are needed. Those that cannot be opened are not reported. */
  async warm(): Promise<void> {
    const { pool } = this;
    const opening = Array.from({ length: this.options.max }, () => pool.connect());
    for (const result of await Promise.allSettled(opening)) if (result.status === 'fulfilled') result.value.release();
  }

  /** Leaves the present connections to end by themselves; what waits for an answer on them still gets it, or its timeout. */
  replace(): void {
    const old = this.pool;
    this.pool = createPool(this.options);
    void old.end().catch(this.options.onIdleError);
  }

  /** Waits for what is in flight, but not for a server that is gone. */
  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref());
    await Promise.race([this.pool.end(), late]);
  }
}

/**
 * SQLSTATE classes after which the same statement may succeed later: connection exceptions, transaction rollback
 * (deadlock), insufficient resources, operator intervention (shutdown, cancelled). PostgreSQL appendix A.
 */
const TEMPORARY_CLASSES = new Set(['08', '40', '53', '55', '57', '58']);

/** The password was refused: it has just been changed, here or there. */
const INVALID_PASSWORD = '28P01';

/** Node's and pg's errors of a connection that broke or never came up have no SQLSTATE. */
function isTemporary(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return true;
  // 25006: read-only, as seen while a failover is under way.
  return TEMPORARY_CLASSES.has(code.slice(0, 2)) || code === '25006' || code === INVALID_PASSWORD;
}

/**
 * Whether the error says that the server is not there, or not as a primary: no SQLSTATE (the connection broke or timed
 * out), class 08, a shutdown (57P01 to 57P03), read-only (25006), or that we no longer have the password (28P01).
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof AppError) return false;
  const code = String((error as { code?: unknown }).code ?? '');
  if (!/^[0-9A-Z]{5}$/.test(code)) return true;
  return code.startsWith('08') || code.startsWith('57P') || code === '25006' || code === INVALID_PASSWORD;
}

/** Whether the login failed, which nothing but another password heals. */
export function isRefusedLogin(error: unknown): boolean {
  return String((error as { code?: unknown }).code ?? '').startsWith('28');
}

/** A failed statement as the caller sees it: `unavailable` when a retry can help, else `internal`. */
export function historyError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!isTemporary(error))
    return new AppError('internal', 'The history refused the request; it is logged.', { cause: error });
  return historyAway(error);
}

/** What a caller is told while Postgres is away, or when nobody knows whether a statement was carried out. */
export function historyAway(cause?: unknown): AppError {
  const text = 'The history cannot be reached; retry with the same client_msg_id.';
  return new AppError('unavailable', text, { retryAfterMs: 1_000, ...(cause !== undefined && { cause }) });
}
