/**
 * The two closed lists every peer can rely on: error codes and close codes.
 * Owns the lists and nothing else; how an error is raised is `errors.ts`, how a socket is closed is `gateway/`.
 */

/** What an error code means for the caller: may it retry unchanged, and which HTTP status carries it. */
export interface ErrorCodeInfo {
  /** true: the same request may succeed later, after `retry_after_ms` when it is given. */
  readonly temporary: boolean;
  readonly httpStatus: number;
  readonly doc: string;
}

export const ERROR_CODES = {
  bad_request: {
    temporary: false,
    httpStatus: 400,
    doc: 'The request is not valid; the message says which field and why.',
  },
  unauthenticated: { temporary: false, httpStatus: 401, doc: 'No valid token or ticket was presented.' },
  forbidden: { temporary: false, httpStatus: 403, doc: 'The token does not permit this action on this channel.' },
  not_found: { temporary: false, httpStatus: 404, doc: 'There is no such route.' },
  not_subscribed: {
    temporary: false,
    httpStatus: 409,
    doc: 'The connection is not subscribed to the channel it named.',
  },
  already_subscribed: {
    temporary: false,
    httpStatus: 409,
    doc: 'The connection is subscribed to this channel already.',
  },
  limit_reached: {
    temporary: false,
    httpStatus: 409,
    doc: 'A fixed limit of the connection is used up, such as its subscriptions.',
  },
  too_large: { temporary: false, httpStatus: 413, doc: 'The request body or the message is larger than the limit.' },
  rate_limited: { temporary: true, httpStatus: 429, doc: 'Too many requests; retry after the time given.' },
  internal: { temporary: true, httpStatus: 500, doc: 'A fault of the server; it is logged there.' },
  unavailable: {
    temporary: true,
    httpStatus: 503,
    doc: 'The history cannot be reached, or the outcome of a commit is unknown. Retry with the same client_msg_id.',
  },
  overloaded: { temporary: true, httpStatus: 503, doc: 'This node has no room for the request now.' },
  draining: { temporary: true, httpStatus: 503, doc: 'This node is leaving service; connect again.' },
} as const satisfies Record<string, ErrorCodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What a close code asks of the client. */
export interface CloseCodeInfo {
  readonly code: number;
  /** true: connect again with backoff and recover. false: the same attempt would end the same way. */
  readonly reconnect: boolean;
  readonly doc: string;
}

/**
 * Every close code this server sends. 1000-1013 mean what RFC 6455 and the IANA registry say;
 * of our own, 4000-4499 ask the client to reconnect and 4500-4999 ask it not to.
 */
export const CLOSE_CODES = {
  normal: { code: 1000, reconnect: false, doc: 'The client closed, and the server agrees.' },
  going_away: { code: 1001, reconnect: true, doc: 'The peer is going away.' },
  protocol_error: {
    code: 1002,
    reconnect: false,
    doc: 'A frame broke RFC 6455 (unmasked, reserved bits, bad opcode).',
  },
  unsupported_data: { code: 1003, reconnect: false, doc: 'A binary frame; this protocol is text only.' },
  invalid_payload: { code: 1007, reconnect: false, doc: 'A text frame that is not valid UTF-8.' },
  auth_failed: {
    code: 1008,
    reconnect: false,
    doc: 'The ticket or token is missing, wrong, replayed, or came too late. Also a message in more than 1,024 fragments.',
  },
  message_too_big: { code: 1009, reconnect: false, doc: 'A frame or message over MAX_PAYLOAD_BYTES.' },
  internal_error: { code: 1011, reconnect: true, doc: 'A fault of the server.' },
  service_restart: { code: 1012, reconnect: true, doc: 'This node is draining; reconnect to another and recover.' },
  try_again_later: { code: 1013, reconnect: true, doc: 'This node is overloaded.' },
  slow_consumer: {
    code: 4000,
    reconnect: true,
    doc: 'The connection stayed behind for too long; reconnect and recover.',
  },
  token_expired: {
    code: 4001,
    reconnect: true,
    doc: 'The token of this session expired; reconnect with a new ticket.',
  },
  rate_limited: { code: 4002, reconnect: true, doc: 'The connection kept sending over its rate limit.' },
  heartbeat_timeout: { code: 4003, reconnect: true, doc: 'No pong within the heartbeat timeout.' },
  protocol_violation: { code: 4500, reconnect: false, doc: 'Too many frames that are not valid commands.' },
  too_many_connections: {
    code: 4501,
    reconnect: false,
    doc: 'This user has as many connections as it may have on one node.',
  },
} as const satisfies Record<string, CloseCodeInfo>;

export type CloseReason = keyof typeof CLOSE_CODES;

/** Whether a client should reconnect after `code`. Codes outside the list (1005, 1006: no close frame) mean a lost connection: yes. */
export function shouldReconnect(code: number): boolean {
  for (const info of Object.values(CLOSE_CODES)) if (info.code === code) return info.reconnect;
  return code < 4500;
}
