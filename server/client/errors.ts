/**
 * The one error type of the SDK. Owns the client's own codes beside the server's closed list, and how anything thrown
 * becomes a `HoldfastError`. Never decides whether to retry: that is up to the parts that read `temporary`.
 */
import { ERROR_CODES, type ErrorCode } from '../protocol/codes.ts';

/** Codes that only the client raises; the server's are in `protocol/codes.ts`. */
export const CLIENT_CODES = {
  network: { temporary: true, doc: 'The server could not be reached, or did not answer in time.' },
  connection_lost: {
    temporary: true,
    doc: 'The connection ended; the client is about to open another. See `closeCode`.',
  },
  token_failed: { temporary: true, doc: 'The token function failed; its error is the `cause`.' },
  timeout: {
    temporary: true,
    doc: 'No ack within the deadline: it may be stored. Publish again with the same `clientMsgId`.',
  },
  queue_full: { temporary: true, doc: 'Too many publishes are waiting for their ack; this one was not sent.' },
  refused: {
    temporary: false,
    doc: 'The server closed the connection with a code that forbids another try. See `closeCode`.',
  },
  closed: { temporary: false, doc: 'The client was closed.' },
  callback_failed: { temporary: false, doc: 'A callback of the application threw; its error is the `cause`.' },
} as const satisfies Record<string, { temporary: boolean; doc: string }>;

export type ClientErrorCode = ErrorCode | keyof typeof CLIENT_CODES;

export interface HoldfastErrorOptions {
  /** Wait that the server asked for, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** Close code of the connection, when the error is about its end. */
  closeCode?: number | undefined;
  /** Idempotency key of the publish that failed: publish again with it, and the message is stored at most once. */
  clientMsgId?: string | undefined;
  /** Channel the error is about. */
  channel?: string | undefined;
  cause?: unknown;
}

/** What every failing call rejects with and every `error` event carries. */
export class HoldfastError extends Error {
  readonly code: ClientErrorCode;
  /** true: the same call may succeed later. */
  readonly temporary: boolean;
  readonly retryAfterMs: number | undefined;
  readonly closeCode: number | undefined;
  readonly clientMsgId: string | undefined;
  readonly channel: string | undefined;

  constructor(code: ClientErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.temporary = isTemporary(code);
    this.retryAfterMs = options.retryAfterMs;
    this.closeCode = options.closeCode;
    this.clientMsgId = options.clientMsgId;
    this.channel = options.channel;
  }
}

/** The error of an `error` push or of an HTTP error body. A code that this client does not know yet is kept as it is. */
export function fromWire(
  wire: { code: ErrorCode; message: string; retry_after_ms?: number },
  options: HoldfastErrorOptions = {},
): HoldfastError {
  return new HoldfastError(wire.code, wire.message, { ...options, retryAfterMs: wire.retry_after_ms });
}

/** Anything thrown as a `HoldfastError`; what is none yet becomes one with `code` and itself as the cause. */
export function toHoldfastError(thrown: unknown, code: ClientErrorCode): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  return new HoldfastError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}

function isTemporary(code: ClientErrorCode): boolean {
  if (code in CLIENT_CODES) return CLIENT_CODES[code as keyof typeof CLIENT_CODES].temporary;
  // A newer server may have codes that this client does not know: they count as permanent, so that nothing loops on them.
  return code in ERROR_CODES && ERROR_CODES[code as ErrorCode].temporary;
}
