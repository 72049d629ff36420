/** Metrics of the edge: connections, admission, authentication, commands and errors. */
import { CLOSE_CODES, ERROR_CODES } from '../../protocol/codes.ts';
import { COMMANDS } from '../../protocol/schemas.ts';
import type { Catalogue } from '../definition.ts';

/** Close codes as label values. 1005 means a close frame without a code, 1006 no close frame. */
export const CLOSE_LABELS: readonly string[] = [
  ...Object.values(CLOSE_CODES).map((info) => String(info.code)),
  '1005',
  '1006',
  'other',
];

export const EDGE = {
  'holdfast.connections': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Open WebSocket connections. Autoscaling uses this metric.',
    why: 'The number of connected clients. A sudden fall is an incident, even when no other metric changes.',
  },
  'holdfast.connections.limit': {
    type: 'gauge',
    unit: '{connection}',
    help: 'WebSocket connections that this node accepts (MAX_CONNECTIONS).',
    why: 'Minus the open connections, it is the room that is left, for example for the clients of a lost zone.',
  },
  'holdfast.connections.dropped': {
    type: 'counter',
    unit: '{connection}',
    help: 'TCP connections that the node closed before accepting them, because MAX_CONNECTIONS plus MAX_HTTP_CONNECTIONS were open.',
    why: 'The clients see a connection reset without a reason. The node has more TCP connections than its WebSocket limit shows.',
  },
  'holdfast.connection.lifetime.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Lifetime of a WebSocket connection, recorded when it closes.',
    why: 'Short lifetimes mean that clients reconnect often: a proxy with a short idle timeout, a deploy, or a reconnect loop.',
    buckets: [1, 10, 60, 300, 900, 3_600, 14_400, 43_200, 86_400],
  },
  'holdfast.handshakes': {
    type: 'counter',
    unit: '{handshake}',
    help: 'WebSocket upgrade requests by result.',
    why: 'Whether clients can connect. `full` and `paced` are limits of the node; `bad_request` and `origin_rejected` are errors of the client.',
    labels: { result: ['accepted', 'bad_request', 'origin_rejected', 'full', 'paced', 'draining', 'failed'] },
  },
  'holdfast.authentications': {
    type: 'counter',
    unit: '{attempt}',
    help: 'Authentication attempts by method and result. `unavailable`: the keys of AUTH_JWKS_URL could not be fetched. `unchecked`: a ticket was accepted without its cross-node single-use check, because Redis was away.',
    why: 'Many `rejected` at once: a key was rotated on one side only, a clock is wrong, or an attack. `unavailable` is a fault of the service.',
    labels: {
      method: ['ticket', 'message', 'query', 'http'],
      result: ['ok', 'rejected', 'replayed', 'late', 'unavailable', 'unchecked'],
    },
  },
  'holdfast.closes': {
    type: 'counter',
    unit: '{connection}',
    help: 'Closed WebSocket connections by close code.',
    why: 'Why connections end: 1001 the client left, 1006 the network failed, 1012 a drain, 4000 a slow consumer, 1011 an error of the server.',
    labels: { code: CLOSE_LABELS },
  },
  'holdfast.commands': {
    type: 'counter',
    unit: '{command}',
    help: 'Valid WebSocket commands received, by type.',
    why: 'What clients do. Many commands of one type point to the client application that sends them.',
    labels: { type: Object.keys(COMMANDS) },
  },
  'holdfast.errors': {
    type: 'counter',
    unit: '{error}',
    help: 'Errors returned to clients over WebSocket and HTTP, by code.',
    why: '`internal` is an error of the server, with a log line. `unavailable` means that Postgres or the key server is away. Most other codes are errors of the client.',
    labels: { code: Object.keys(ERROR_CODES) },
  },
} as const satisfies Catalogue;
