/**
 * The one source of every shape that crosses the wire inwards, as JSON Schema: WebSocket commands and HTTP bodies
 * are validated by these, typed from these, and documented from these. Owns shapes, never behaviour.
 */

export const channel = {
  type: 'string',
  // No spaces or control characters: safe in URLs, logs and Redis channel names.
  pattern: '^[A-Za-z0-9_.:@/=+-]{1,128}$',
  description: 'Channel name: 1-128 characters of A-Z a-z 0-9 _ . : @ / = + -',
} as const;

export const offset = {
  type: 'integer',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Offset within the channel: 1, 2, 3 … without holes; 0 is before the first message.',
} as const;

export const epoch = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Names one incarnation of offsets.',
} as const;

export const clientMsgId = {
  type: 'string',
  pattern: '^[\\x21-\\x7e]{1,128}$',
  description:
    'Idempotency key, per sender and channel, kept for 24 hours: a retry returns the first offset and stores nothing.',
} as const;

/** `id` of a command, echoed in its `ack` or `error`. */
export const commandId = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Chosen by the client; returned in the ack or error that answers this command.',
} as const;

/** Any JSON value. Numbers are IEEE 754 doubles: send larger integers as strings. */
export const data = { description: 'The message: any JSON value.' } as const;

/** Commands: what a client sends, by `type`. Unknown fields are refused, so that a typo is an error and not a surprise. */
export const COMMANDS = {
  auth: {
    type: 'object',
    description: 'Authenticates a connection that came without a ticket. Must be the first command.',
    properties: {
      type: { const: 'auth' },
      token: { type: 'string', minLength: 1, maxLength: 8192, description: 'A JWT.' },
    },
    required: ['type', 'token'],
    additionalProperties: false,
  },
  subscribe: {
    type: 'object',
    description: 'Follows a channel from now on, or from a position when `recover` is given.',
    properties: {
      type: { const: 'subscribe' },
      id: commandId,
      channel,
      recover: {
        type: 'object',
        description: 'The position after which messages are missing.',
        properties: { epoch, offset },
        required: ['epoch', 'offset'],
        additionalProperties: false,
      },
    },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  unsubscribe: {
    type: 'object',
    description: 'Stops following a channel, and leaves its presence.',
    properties: { type: { const: 'unsubscribe' }, id: commandId, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  publish: {
    type: 'object',
    description: 'Stores a message. The `ack` comes after the Postgres commit.',
    properties: { type: { const: 'publish' }, id: commandId, channel, data, client_msg_id: clientMsgId },
    required: ['type', 'id', 'channel', 'data'],
    additionalProperties: false,
  },
  typing_start: {
    type: 'object',
    description: 'Tells the other subscribers that this user is typing. Never stored, may be dropped.',
    properties: { type: { const: 'typing_start' }, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  typing_stop: {
    type: 'object',
    description: 'Tells the other subscribers that this user stopped typing.',
    properties: { type: { const: 'typing_stop' }, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  presence: {
    type: 'object',
    description:
      'Joins the presence of a subscribed channel: the others see this user, and this connection gets who is there and every change.',
    properties: { type: { const: 'presence' }, id: commandId, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  ping: {
    type: 'object',
    description: 'Asks for a `pong`, for a client that wants to check the connection.',
    properties: { type: { const: 'ping' } },
    required: ['type'],
    additionalProperties: false,
  },
  pong: {
    type: 'object',
    description: 'Answers the server’s `ping`; due within the heartbeat timeout.',
    properties: { type: { const: 'pong' } },
    required: ['type'],
    additionalProperties: false,
  },
} as const;

/** Body of `POST /v1/chat.postMessage`: exactly one of `data` and `text`. */
export const postMessageBody = {
  type: 'object',
  properties: {
    channel,
    data,
    text: { type: 'string', description: 'Short for data: {"text": …}.' },
    client_msg_id: clientMsgId,
  },
  required: ['channel'],
  oneOf: [{ required: ['data'] }, { required: ['text'] }],
  additionalProperties: false,
} as const;

/** Query of `GET /v1/conversations.history`. */
export const historyQuery = {
  type: 'object',
  properties: {
    channel,
    after: { ...offset, description: 'Only messages with a larger offset, oldest first.' },
    before: {
      ...offset,
      description: 'Only messages with a smaller offset: the newest of those. Not together with `after`.',
    },
    limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
  },
  required: ['channel'],
  not: { required: ['after', 'before'] },
  additionalProperties: false,
} as const;
