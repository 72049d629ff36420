/**
 * The closed lists of error codes and close codes that clients rely on. A code keeps its meaning once it is released.
 * Never raises an error (`errors.ts`) and never closes a socket (`gateway/connection.ts`).
 */

/** What an error code means for the caller. */
export interface ErrorCodeInfo {
  /** Whether the same request may succeed later: after `retry_after_ms` if the error has it, else with backoff. */
  readonly temporary: boolean;
  readonly httpStatus: number;
  readonly doc: string;
}

export const ERROR_CODES = {
  bad_request: {
    temporary: false,
    httpStatus: 400,
    doc: 'The request or command is not valid. The message names the field and the rule; correct it before you send it again.',
  },
  unauthenticated: {
    temporary: false,
    httpStatus: 401,
    doc: 'The token is missing, expired or not valid; the message says which. Get a new token.',
  },
  forbidden: {
    temporary: false,
    httpStatus: 403,
    doc: 'The token does not permit this action on this channel, or the origin may not connect. The issuer of the token grants channels in its `channels` claim; the operator allows origins in ALLOWED_ORIGINS.',
  },
  not_found: {
    temporary: false,
    httpStatus: 404,
    doc: 'The server has no such route. `GET /openapi.json` lists the routes; WebSockets are at `/ws`.',
  },
  not_subscribed: {
    temporary: false,
    httpStatus: 409,
    doc: 'The command needs a subscription to the channel that it names. Send `subscribe` first.',
  },
  already_subscribed: {
    temporary: false,
    httpStatus: 409,
    doc: 'The connection has a subscription to this channel. To recover from another position, send `unsubscribe` first.',
  },
  limit_reached: {
    temporary: false,
    httpStatus: 409,
    doc: 'The connection has as many subscriptions as MAX_SUBSCRIPTIONS allows. Unsubscribe from a channel, or open another connection.',
  },
  too_large: {
    temporary: false,
    httpStatus: 413,
    doc: 'The body is larger than MAX_PAYLOAD_BYTES, or the headers are larger than 16 KB. Send less.',
  },
  rate_limited: {
    temporary: true,
    httpStatus: 429,
    doc: 'Too many commands on this connection, publishes of this user, or publishes in flight. Wait `retry_after_ms`, then send it again.',
  },
  internal: {
    temporary: true,
    httpStatus: 500,
    doc: 'An unexpected error of the server, which logs the cause. Send it again with backoff; a publish with the same `client_msg_id`.',
  },
  unavailable: {
    temporary: true,
    httpStatus: 503,
    doc: 'Postgres, or the keys of the token issuer, cannot be reached now. A publish may have been stored all the same: send it again with the same `client_msg_id`.',
  },
  overloaded: {
    temporary: true,
    httpStatus: 503,
    doc: 'This node has no room for the connection or the publish now. Wait `retry_after_ms`, then try again.',
  },
  draining: {
    temporary: true,
    httpStatus: 503,
    doc: 'This node is leaving service and accepts no connections. Connect again; the load balancer chooses another node.',
  },
} as const satisfies Record<string, ErrorCodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What a close code means for the client. */
export interface CloseCodeInfo {
  readonly code: number;
  /** true: reconnect with backoff, then recover. false: the same attempt would fail again. */
  readonly reconnect: boolean;
  readonly doc: string;
}

/**
 * The close codes of a connection. 1000 to 1013 have the meaning of RFC 6455 and of its IANA registry. Codes of Holdfast:
 * 4000 to 4499 ask the client to reconnect, 4500 to 4999 ask it not to.
 */
export const CLOSE_CODES = {
  normal: {
    code: 1000,
    reconnect: false,
    doc: 'The client closed the connection with this code; the server repeats it and never sends it first.',
  },
  going_away: {
    code: 1001,
    reconnect: true,
    doc: 'The client closed the connection with this code, for example a browser that left the page; the server repeats it and never sends it first.',
  },
  protocol_error: {
    code: 1002,
    reconnect: false,
    doc: 'The client sent a frame that breaks RFC 6455: unmasked, with reserved bits, an unknown opcode or a broken fragment. Correct the WebSocket library.',
  },
  unsupported_data: {
    code: 1003,
    reconnect: false,
    doc: 'The client sent a binary frame. This protocol has text frames only.',
  },
  invalid_payload: {
    code: 1007,
    reconnect: false,
    doc: 'The client sent a text frame that is not valid UTF-8.',
  },
  auth_failed: {
    code: 1008,
    reconnect: false,
    doc: 'The ticket or token is missing, not valid, expired or used before, or `auth` came too late; the close reason says which. Get a new ticket before another attempt. Also: a message in more than 1,024 fragments.',
  },
  message_too_big: {
    code: 1009,
    reconnect: false,
    doc: 'The client sent a message larger than `max_payload_bytes` of `welcome` (MAX_PAYLOAD_BYTES).',
  },
  internal_error: { code: 1011, reconnect: true, doc: 'An unexpected error of the server.' },
  service_restart: {
    code: 1012,
    reconnect: true,
    doc: 'This node is leaving service. Reconnect, which leads to another node, and recover.',
  },
  try_again_later: {
    code: 1013,
    reconnect: true,
    doc: 'The ticket or token could not be checked now, for example because the keys of the token issuer cannot be fetched. Reconnect with backoff.',
  },
  slow_consumer: {
    code: 4000,
    reconnect: true,
    doc: 'The client read too slowly: unsent data stayed above SEND_HIGH_WATER_BYTES for SLOW_CONSUMER_MAX_MS. Reconnect and recover.',
  },
  token_expired: {
    code: 4001,
    reconnect: true,
    doc: 'The token of this session expired. Get a new token, reconnect and recover.',
  },
  rate_limited: {
    code: 4002,
    reconnect: true,
    doc: 'More than 1,000 commands of this connection exceeded COMMAND_RATE. Send fewer, and honour `retry_after_ms`.',
  },
  heartbeat_timeout: {
    code: 4003,
    reconnect: true,
    doc: 'No frame arrived from the client within the heartbeat timeout after a `ping`. Often the client sees 1006 instead.',
  },
  protocol_violation: {
    code: 4500,
    reconnect: false,
    doc: 'The connection sent ten frames that are not valid commands, or more than 32 commands before `welcome`. Correct the client; the `error` pushes name the faults.',
  },
  too_many_connections: {
    code: 4501,
    reconnect: false,
    doc: 'This user has as many connections on this node as MAX_CONNECTIONS_PER_USER allows. Close others first.',
  },
} as const satisfies Record<string, CloseCodeInfo>;

export type CloseReason = keyof typeof CLOSE_CODES;

/** Whether a client should reconnect after `code`. 1005 and 1006 mean that no close frame came: it should. */
export function shouldReconnect(code: number): boolean {
  for (const info of Object.values(CLOSE_CODES)) if (info.code === code) return info.reconnect;
  return code < 4500;
}
