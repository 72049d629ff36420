/** Pools of Postgres connections. Knows no table; what errors mean is in `errors.ts`. */
import pg from 'pg';
import { AppError } from '../errors.ts';

/** Address, credentials and trusted certificates of Postgres. */
export interface PostgresLogin {
  readonly url: string;
  /** Called for each new connection, because the password may rotate. Replaces a password in the URL. */
  readonly password?: (() => Promise<string>) | undefined;
  /** PEM certificates of the trusted authorities; the host name is checked too. Undefined: the sslmode of the URL applies. */
  readonly ca?: readonly string[] | undefined;
}

export interface PoolOptions extends PostgresLogin {
  readonly max: number;
  readonly connectTimeoutMs: number;
  /** 0: none. */
  readonly statementTimeoutMs: number;
  /** An idle connection broke, for example because Postgres restarted. The pool replaces it. */
  readonly onIdleError: (error: Error) => void;
}

export type Pool = pg.Pool;

/** A pool, or a single connection, that runs statements. */
export type Queryable = Pick<pg.Pool, 'query'>;

export function createPool(options: PoolOptions): Pool {
  const pool = new pg.Pool({
    ...connectionTo(options),
    max: options.max,
    connectionTimeoutMillis: options.connectTimeoutMs,
    ...(options.statementTimeoutMs > 0 && {
      statement_timeout: options.statementTimeoutMs,
      // `statement_timeout` is applied by the server. This one ends the wait when the server does not answer.
      query_timeout: options.statementTimeoutMs + 1_000,
    }),
    keepAlive: true,
    // Connections stay open: this node keeps its own when other clients use up max_connections.
    idleTimeoutMillis: 0,
    application_name: 'holdfast',
  });
  pool.on('error', (error: Error & { client?: unknown }) => {
    // The client holds the connection's settings, with the password: it must not reach the log.
    delete error.client;
    options.onIdleError(error);
  });
  // pg-pool listens only while a client is idle; without this listener an error between two statements ends the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** pg prefers the URL to all other options, so the URL is split when a password or certificates are given besides. */
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

/** Values of sslmode with which pg checks the certificate of the server. */
export const VERIFYING_MODES: ReadonlySet<string> = new Set(['require', 'verify-ca', 'verify-full']);

/** Error text of pg-pool after `connectionTimeoutMillis`, both for a free connection and for a new one. */
const WAITED_TOO_LONG = 'timeout exceeded when trying to connect';

/** Longest wait for connections to close, milliseconds. Connections to a server that is gone never close. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * A pool that can be replaced by a fresh one. When a server stops answering without closing its connections, each of them
 * would otherwise cost a statement its timeout.
 */
export class Database implements Queryable {
  private readonly options: PoolOptions;
  private pool: Pool;

  constructor(options: PoolOptions) {
    this.options = options;
    this.pool = createPool(options);
  }

  /**
   * As `query` of the current pool.
   * @throws AppError `overloaded` when every connection is in use for too long: that must not count as an outage
   */
  readonly query = (async (...args: Parameters<Pool['query']>) => {
    const { pool } = this;
    // Taken before the wait: by its end, connections that were busy may have been closed.
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

  /** Opens all connections in advance. Failures are ignored: a later statement opens the connection or reports the error. */
  async warm(): Promise<void> {
    const { pool } = this;
    const opening = Array.from({ length: this.options.max }, () => pool.connect());
    for (const result of await Promise.allSettled(opening)) if (result.status === 'fulfilled') result.value.release();
  }

  /** Replaces the pool. Statements in flight on the old one still get their answer or their timeout. */
  replace(): void {
    const old = this.pool;
    this.pool = createPool(this.options);
    void old.end().catch(this.options.onIdleError);
  }

  /** Waits for statements in flight, at most `CLOSE_TIMEOUT_MS`. */
  async close(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref());
    await Promise.race([this.pool.end(), late]);
  }
}
