/** Classifies errors of Postgres: whether a retry can help, and whether the server is away. Pure. */
import { AppError } from '../errors.ts';

/**
 * SQLSTATE classes after which the same statement may succeed later: connection exceptions, transaction rollback
 * (deadlock), insufficient resources, object not in prerequisite state, operator intervention (shutdown, cancelled),
 * system error. PostgreSQL appendix A.
 */
const TEMPORARY_CLASSES = new Set(['08', '40', '53', '55', '57', '58']);

/** The server refused the password: it has changed, and the node or the server does not have the new one yet. */
const INVALID_PASSWORD = '28P01';

/** The server is read-only, as during a failover. */
const READ_ONLY = '25006';

/** Undefined for errors of Node.js and pg about a connection that broke or was never made. */
function sqlState(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

function isTemporary(error: unknown): boolean {
  const code = sqlState(error);
  if (code === undefined) return true;
  return TEMPORARY_CLASSES.has(code.slice(0, 2)) || code === READ_ONLY || code === INVALID_PASSWORD;
}

/**
 * Whether the error shows that no primary answers: no SQLSTATE (the connection broke or timed out), class 08, a shutdown
 * (57P01 to 57P03), read-only, or a refused password.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof AppError) return false;
  const code = sqlState(error);
  if (code === undefined) return true;
  return code.startsWith('08') || code.startsWith('57P') || code === READ_ONLY || code === INVALID_PASSWORD;
}

/** Whether the login failed. Only other credentials help. */
export function isRefusedLogin(error: unknown): boolean {
  return sqlState(error)?.startsWith('28') === true;
}

/** A failed statement for the caller: `unavailable` when a retry can help, else `internal`. */
export function historyError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (!isTemporary(error))
    return new AppError('internal', 'The history refused the request; it is logged.', { cause: error });
  return historyAway(error);
}

/** The answer while Postgres is away, or when the outcome of a statement is unknown. */
export function historyAway(cause?: unknown): AppError {
  const text = 'The history cannot be reached; retry with the same client_msg_id.';
  return new AppError('unavailable', text, { retryAfterMs: 1_000, ...(cause !== undefined && { cause }) });
}
