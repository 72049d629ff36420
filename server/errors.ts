/**
 * The one error type of the server: a code of the closed list, a message for the caller, and what follows from the code.
 * Never carries internals: what must not reach a client goes into `cause`, which is logged and not sent.
 */
import { ERROR_CODES, type ErrorCode } from './protocol/codes.ts';

export interface AppErrorOptions {
  /** How long the caller should wait before it retries, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** An error with a code that clients know. `message` is shown to the caller: say what was wrong, where, what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The same request may succeed later. */
  get temporary(): boolean {
    return ERROR_CODES[this.code].temporary;
  }

  get httpStatus(): number {
    return ERROR_CODES[this.code].httpStatus;
  }
}

/** The error as the wire carries it, in HTTP bodies and in `error` pushes alike. */
export function errorBody(error: AppError): { code: ErrorCode; message: string; retry_after_ms?: number } {
  return {
    code: error.code,
    message: error.message,
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }),
  };
}

/** Anything thrown as an `AppError`: unknown errors become `internal`, without their text, with themselves as cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError('internal', 'The server failed to handle this request; try again.', { cause: thrown });
}
