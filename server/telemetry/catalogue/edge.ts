/** Metrics of the edge: connections, who is let in, what is answered. */
import { CLOSE_CODES, ERROR_CODES } from '../../protocol/codes.ts';
import { COMMANDS } from '../../protocol/schemas.ts';
import type { Catalogue } from '../definition.ts';

/** Close codes as label values. 1005 and 1006 are what a node sees when no close frame came. */
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
    help: 'Open WebSocket connections. The scaling metric.',
    why: 'How many people are there. A sudden fall is an incident even if nothing else says so.',
  },
  'holdfast.connections.limit': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Connections this node accepts (MAX_CONNECTIONS).',
    why: 'With the connections it gives the room that is left, and whether the loss of a zone would fit in it.',
  },
  'holdfast.connections.dropped': {
    type: 'counter',
    unit: '{connection}',
    help: 'TCP connections closed as they came, because MAX_CONNECTIONS and MAX_HTTP_CONNECTIONS together were reached.',
    why: 'Those clients see a connection reset and no reason: the node is fuller than its limit of connections says.',
  },
  'holdfast.connection.lifetime.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'How long a connection lasted, at its end.',
    why: 'Short lives are clients that do not get along: a proxy that cuts them, a deploy, a reconnect loop.',
    buckets: [1, 10, 60, 300, 900, 3_600, 14_400, 43_200, 86_400],
  },
  'holdfast.handshakes': {
    type: 'counter',
    unit: '{handshake}',
    help: 'WebSocket upgrade requests by result.',
    why: 'Whether people get in. `full` and `paced` are ours to answer for, `bad_request` and `origin_rejected` the caller’s.',
    labels: { result: ['accepted', 'bad_request', 'origin_rejected', 'full', 'paced', 'draining', 'failed'] },
  },
  'holdfast.authentications': {
    type: 'counter',
    unit: '{attempt}',
    help: 'Authentication attempts. `unavailable`: nobody could say, as keys (AUTH_JWKS_URL) cannot be fetched; `unchecked`: a ticket honoured without its single-use check because Redis was away.',
    why: 'Many rejected at once: a key was rotated on one side only, a clock is wrong, or somebody is trying. `unavailable` is ours to answer for.',
    labels: {
      method: ['ticket', 'message', 'query', 'http'],
      result: ['ok', 'rejected', 'replayed', 'late', 'unavailable', 'unchecked'],
    },
  },
  'holdfast.closes': {
    type: 'counter',
    unit: '{connection}',
    help: 'Closed connections by close code.',
    why: 'Why people leave: 1001 by themselves, 1006 a lost network, 1012 a drain, 4000 too slow, 1011 our fault.',
    labels: { code: CLOSE_LABELS },
  },
  'holdfast.commands': {
    type: 'counter',
    unit: '{command}',
    help: 'Valid commands received.',
    why: 'What clients do: a flood of one kind names the client that causes it.',
    labels: { type: Object.keys(COMMANDS) },
  },
  'holdfast.errors': {
    type: 'counter',
    unit: '{error}',
    help: 'Errors answered, over WebSocket and HTTP.',
    why: '`internal` is a fault of ours and is logged; `unavailable` is Postgres; the others are the callers’.',
    labels: { code: Object.keys(ERROR_CODES) },
  },
} as const satisfies Catalogue;
