/** JSON Schemas of the HTTP answers, for serialisation and for the OpenAPI document. Requests: `protocol/schemas.ts`. */
import { ERROR_CODES } from '../protocol/codes.ts';
import { channel, epoch, offset } from '../protocol/schemas.ts';

const ok = { type: 'boolean', const: true } as const;

export const errorResponse = {
  description: `An error. Codes: ${Object.entries(ERROR_CODES)
    .map(([code, info]) => `\`${code}\` (${info.httpStatus})`)
    .join(', ')}.`,
  type: 'object',
  properties: {
    ok: { type: 'boolean', const: false },
    error: {
      type: 'object',
      properties: {
        code: { type: 'string', enum: Object.keys(ERROR_CODES) },
        message: { type: 'string' },
        retry_after_ms: { type: 'integer', description: 'Also in the Retry-After header, in seconds.' },
      },
      required: ['code', 'message'],
    },
  },
  required: ['ok', 'error'],
} as const;

export const message = {
  type: 'object',
  properties: {
    channel,
    offset,
    id: { type: 'string', format: 'uuid' },
    sender: { type: 'string', description: 'The `sub` of the token that published it.' },
    data: { description: 'Any JSON value.' },
    created_at: { type: 'string', format: 'date-time' },
  },
  required: ['channel', 'offset', 'id', 'sender', 'data', 'created_at'],
} as const;

export const postMessageResponse = {
  description: 'The message is committed.',
  type: 'object',
  properties: {
    ok,
    channel,
    offset,
    epoch,
    id: { type: 'string', format: 'uuid' },
    duplicate: {
      type: 'boolean',
      description: 'true: an earlier publish with the same client_msg_id had stored the message.',
    },
  },
  required: ['ok', 'channel', 'offset', 'epoch', 'id', 'duplicate'],
} as const;

export const historyResponse = {
  description: 'Messages in ascending order of offset.',
  type: 'object',
  properties: {
    ok,
    channel,
    epoch,
    top: { ...offset, description: 'Newest offset of the channel.' },
    messages: { type: 'array', items: message },
    has_more: { type: 'boolean', description: 'Whether there are more messages in the direction of the query.' },
  },
  required: ['ok', 'channel', 'epoch', 'top', 'messages', 'has_more'],
} as const;

export const ticketResponse = {
  description: 'A ticket for one WebSocket: /ws?ticket=…',
  type: 'object',
  properties: { ok, ticket: { type: 'string' }, expires_in_ms: { type: 'integer' } },
  required: ['ok', 'ticket', 'expires_in_ms'],
} as const;

export const healthResponse = {
  description: 'This process is alive.',
  type: 'object',
  properties: {
    status: { type: 'string', const: 'ok' },
    node_id: { type: 'string' },
    timestamp: { type: 'string', format: 'date-time' },
  },
  required: ['status', 'node_id', 'timestamp'],
} as const;

export const readyResponse = {
  description:
    'Whether this node accepts new connections: 503 while it is draining or full. The state of Postgres and Redis does not change the status.',
  type: 'object',
  properties: {
    ready: { type: 'boolean' },
    node_id: { type: 'string' },
    timestamp: { type: 'string', format: 'date-time' },
    draining: { type: 'boolean' },
    full: { type: 'boolean' },
    connections: { type: 'integer' },
    dependencies: {
      type: 'object',
      properties: {
        postgres: { type: 'string', enum: ['ok', 'unreachable'] },
        redis: { type: 'string', enum: ['ok', 'unreachable', 'none'] },
      },
      required: ['postgres', 'redis'],
    },
  },
  required: ['ready', 'node_id', 'timestamp', 'draining', 'full', 'connections', 'dependencies'],
} as const;
