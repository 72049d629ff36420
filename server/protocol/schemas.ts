/**
 * JSON Schemas of everything that clients send: WebSocket commands, HTTP bodies and queries. They are the one source of
 * validation, types and documentation. Owns shapes, never behaviour.
 */

export const channel = {
  type: 'string',
  // Excludes spaces and control characters, so that a name is safe in URLs, logs and Redis channel names.
  pattern: '^[A-Za-z0-9_.:@/=+-]{1,128}$',
  description: 'Name of the channel: 1 to 128 characters of A-Z a-z 0-9 _ . : @ / = + -',
} as const;

export const offset = {
  type: 'integer',
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Offset in the channel: 1, 2, 3 … without holes. 0 is the place before the first message.',
} as const;

export const epoch = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Epoch of the position: it names one incarnation of the offsets.',
} as const;

export const clientMsgId = {
  type: 'string',
  pattern: '^[\\x21-\\x7e]{1,128}$',
  description:
    'Idempotency key, per sender and channel, valid for 24 hours: a retry returns the offset of the first publish and stores nothing.',
} as const;

export const commandId = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Chosen by the client. The first push that answers this command repeats it.',
} as const;

export const data = {
  description:
    'The message: any JSON value. Send integers beyond 2^53 as strings, because numbers are IEEE 754 doubles.',
} as const;

/** The commands, by `type`. Unknown fields are refused: a mistyped `client_msg_id` would otherwise lose idempotency unnoticed. */
export const COMMANDS = {
  auth: {
    type: 'object',
    description:
      'Authenticates a connection that was opened without a ticket. It must be the first command. Answered by `welcome`, or by close code 1008 or 1013.',
    properties: {
      type: { const: 'auth' },
      token: { type: 'string', minLength: 1, maxLength: 8192, description: 'A JWT of the application’s token issuer.' },
    },
    required: ['type', 'token'],
    additionalProperties: false,
  },
  subscribe: {
    type: 'object',
    description: 'Subscribes to a channel: from now on, or from the position in `recover`. Answered by `subscribed`.',
    properties: {
      type: { const: 'subscribe' },
      id: commandId,
      channel,
      recover: {
        type: 'object',
        description: 'Position of the last message that the client has handled. Delivery goes on after it.',
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
    description:
      'Ends the subscription to a channel, and this connection’s part in its presence. Answered by `unsubscribed`.',
    properties: { type: { const: 'unsubscribe' }, id: commandId, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  publish: {
    type: 'object',
    description: 'Stores a message and delivers it to the subscribers. Answered by `ack`, after the Postgres commit.',
    properties: { type: { const: 'publish' }, id: commandId, channel, data, client_msg_id: clientMsgId },
    required: ['type', 'id', 'channel', 'data'],
    additionalProperties: false,
  },
  typing_start: {
    type: 'object',
    description:
      'Sends `typing` with `true` to the other subscribers of a subscribed channel. Never stored, may be dropped. Not answered.',
    properties: { type: { const: 'typing_start' }, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  typing_stop: {
    type: 'object',
    description:
      'Sends `typing` with `false` to the other subscribers of a subscribed channel. Never stored, may be dropped. Not answered.',
    properties: { type: { const: 'typing_stop' }, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  presence: {
    type: 'object',
    description:
      'Makes this user present in a subscribed channel. Answered by `presence` with the present users; further `presence` pushes report changes.',
    properties: { type: { const: 'presence' }, id: commandId, channel },
    required: ['type', 'channel'],
    additionalProperties: false,
  },
  ping: {
    type: 'object',
    description: 'Asks the server for a `pong`. A client may use it to check the connection.',
    properties: { type: { const: 'ping' } },
    required: ['type'],
    additionalProperties: false,
  },
  pong: {
    type: 'object',
    description: 'Answers a `ping` of the server, within the heartbeat timeout. Not answered.',
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
    text: { type: 'string', description: 'Short form of data: {"text": …}.' },
    client_msg_id: clientMsgId,
  },
  required: ['channel'],
  oneOf: [{ required: ['data'] }, { required: ['text'] }],
  additionalProperties: false,
} as const;

/** Query of `GET /v1/conversations.history`. The route refuses `after` with `before`, because `not` would give no clear error. */
export const historyQuery = {
  type: 'object',
  properties: {
    channel,
    after: { ...offset, description: 'Return the messages after this offset, beginning with the oldest of them.' },
    before: {
      ...offset,
      description: 'Return the newest messages before this offset. Exclusive with `after`.',
    },
    limit: {
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: 100,
      description: 'Return at most this many messages.',
    },
  },
  required: ['channel'],
  additionalProperties: false,
} as const;
