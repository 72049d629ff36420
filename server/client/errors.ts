/**
 * The only error type of the client. Owns the codes that the client adds to those of the server, and the conversion of
 * thrown values to `HoldfastError`. Must never decide on a retry: callers read `temporary` and decide.
 */
import { ERROR_CODES, type ErrorCode } from '../protocol/codes.ts';

/** Codes that only the client raises. The codes of the server are in `protocol/codes.ts`. */
export const CLIENT_CODES = {
  network: { temporary: true, doc: 'The server could not be reached, or did not answer in time.' },
  connection_lost: {
    temporary: true,
    doc: 'The connection ended; the client reconnects. See `closeCode`.',
  },
  token_failed: { temporary: true, doc: 'The token function failed; its error is the `cause`.' },
  timeout: {
    temporary: true,
    doc: 'No ack within the deadline; the message may be stored. Publish again with the same `clientMsgId`.',
  },
  queue_full: { temporary: true, doc: 'Too many publishes wait for their ack; this one was not sent.' },
  refused: {
    temporary: false,
    doc: 'The server closed the connection with a code that forbids a reconnect (see `closeCode`), or the url is wrong.',
  },
  websocket_missing: {
    temporary: false,
    doc: 'The platform has no WebSocket. On Node 20: npm install ws. Elsewhere: pass the option WebSocket.',
  },
  closed: { temporary: false, doc: 'The client was closed.' },
  callback_failed: { temporary: false, doc: 'A callback of the application threw; its error is the `cause`.' },
} as const satisfies Record<string, { temporary: boolean; doc: string }>;

export type ClientErrorCode = ErrorCode | keyof typeof CLIENT_CODES;

export interface HoldfastErrorOptions {
  /** Delay that the server asked for, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** Close code of the connection, when the error reports its end. */
  closeCode?: number | undefined;
  /** Idempotency key of the publish that failed. Publish again with it, and the message is stored at most once. */
  clientMsgId?: string | undefined;
  /** The channel that the error concerns. */
  channel?: string | undefined;
  cause?: unknown;
}

/** Every rejection and every `error` event of the client is one of these. */
export class HoldfastError extends Error {
  readonly code: ClientErrorCode;
  /** true: the same call may succeed later. The client retries by itself, except after `timeout` and `queue_full`. */
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

/** Converts an `error` push or an HTTP error body. A code that this version does not know is kept unchanged. */
export function fromWire(
  wire: { code: ErrorCode; message: string; retry_after_ms?: number },
  options: HoldfastErrorOptions = {},
): HoldfastError {
  return new HoldfastError(wire.code, wire.message, { ...options, retryAfterMs: wire.retry_after_ms });
}

/** Returns a HoldfastError unchanged. Any other value becomes the cause of a new HoldfastError with `code`. */
export function toHoldfastError(thrown: unknown, code: ClientErrorCode): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  return new HoldfastError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
}

function isTemporary(code: ClientErrorCode): boolean {
  if (code in CLIENT_CODES) return CLIENT_CODES[code as keyof typeof CLIENT_CODES].temporary;
  // A newer server may send codes that this version does not know. They count as permanent, so that no retry loops on them.
  return code in ERROR_CODES && ERROR_CODES[code as ErrorCode].temporary;
}
