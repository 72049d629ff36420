/** Classifies errors of Postgres: whether a retry can help, and whether the server is away. Pure. */
import { types } from 'node:util';
import { DatabaseError } from 'pg';
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

/**
 * `server`: the server answered, with this SQLSTATE. `connection`: the connection broke, timed out or was never made, as errors of
 * Node.js and pg say. `program`: an error of this program, which says nothing about the server.
 */
type Origin = { readonly kind: 'server'; readonly sqlState: string } | { readonly kind: 'connection' | 'program' };

/** What JavaScript throws for a mistake in the code. pg also throws a TypeError for a password that is no string. */
const PROGRAM_ERRORS = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'URIError', 'EvalError']);

function originOf(error: unknown): Origin {
  // Not by the look of `code`: EPIPE of Node.js has five capital letters like an SQLSTATE.
  if (error instanceof DatabaseError) return { kind: 'server', sqlState: error.code ?? '' };
  const isProgram = !types.isNativeError(error) || PROGRAM_ERRORS.has(error.name);
  return { kind: isProgram ? 'program' : 'connection' };
}

function sqlState(error: unknown): string | undefined {
  const origin = originOf(error);
  return origin.kind === 'server' ? origin.sqlState : undefined;
}

function isTemporary(error: unknown): boolean {
  const code = sqlState(error);
  if (code === undefined) return originOf(error).kind === 'connection';
  return TEMPORARY_CLASSES.has(code.slice(0, 2)) || code === READ_ONLY || code === INVALID_PASSWORD;
}

/**
 * Whether the error shows that no primary answers: the connection broke or timed out, class 08, a shutdown (57P01 to 57P03),
 * read-only, or a refused password.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof AppError) return false;
  const code = sqlState(error);
  if (code === undefined) return originOf(error).kind === 'connection';
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
