/**
 * The one error type of the server: a code of the closed list and a message for the caller. Clients get both, so neither
 * may contain internals. What only the operator may see goes into `cause`, which is logged and never sent.
 */
import { ERROR_CODES, type ErrorCode } from './protocol/codes.ts';

export interface AppErrorOptions {
  /** How long the caller should wait before it retries, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** An error for the caller. `message` says what was wrong, where, and what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get temporary(): boolean {
    return ERROR_CODES[this.code].temporary;
  }

  get httpStatus(): number {
    return ERROR_CODES[this.code].httpStatus;
  }
}

/** The fields of the error that clients get, in HTTP bodies and in `error` pushes. */
export function errorBody(error: AppError): { code: ErrorCode; message: string; retry_after_ms?: number } {
  return {
    code: error.code,
    message: error.message,
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }),
  };
}

/** Converts anything thrown to an `AppError`. An unknown error becomes `internal`: its text stays in `cause`. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError('internal', 'An unexpected error of the server, which has logged it; try again with backoff.', {
    cause: thrown,
  });
}
