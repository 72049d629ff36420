/**
 * Every metric of a node, in one place: instruments are made from it, documents are generated from it, dashboards and
 * alerts are checked against it. Names end in their unit, so that the Prometheus exporter and OTLP give the same name.
 */
import { CLOSE_CODES, ERROR_CODES } from '../protocol/codes.ts';
import { COMMANDS } from '../protocol/schemas.ts';

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly help: string;
  /** Label names with every value they take: counters start at zero for each. */
  readonly labels?: Readonly<Record<string, readonly string[]>>;
  readonly buckets?: readonly number[];
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COUNTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

/** Close codes as label values. 1005 and 1006 are what a node sees when no close frame came. */
export const CLOSE_LABELS: readonly string[] = [
  ...Object.values(CLOSE_CODES).map((info) => String(info.code)),
  '1005',
  '1006',
  'other',
];

export const METRICS = {
  'holdfast.connections': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Open WebSocket connections. The scaling metric.',
  },
  'holdfast.connections.limit': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Connections this node accepts (MAX_CONNECTIONS).',
  },
  'holdfast.connections.dropped': {
    type: 'counter',
    unit: '{connection}',
    help: 'TCP connections closed as they came, because MAX_CONNECTIONS and MAX_HTTP_CONNECTIONS together were reached.',
  },
  'holdfast.handshakes': {
    type: 'counter',
    unit: '{handshake}',
    help: 'WebSocket upgrade requests by result.',
    labels: { result: ['accepted', 'bad_request', 'origin_rejected', 'full', 'paced', 'draining'] },
  },
  'holdfast.authentications': {
    type: 'counter',
    unit: '{attempt}',
    help: 'Authentication attempts. `unchecked`: a ticket honoured without its single-use check because Redis was away.',
    labels: {
      method: ['ticket', 'message', 'query', 'http'],
      result: ['ok', 'rejected', 'replayed', 'late', 'unchecked'],
    },
  },
  'holdfast.closes': {
    type: 'counter',
    unit: '{connection}',
    help: 'Closed connections by close code.',
    labels: { code: CLOSE_LABELS },
  },
  'holdfast.commands': {
    type: 'counter',
    unit: '{command}',
    help: 'Valid commands received.',
    labels: { type: Object.keys(COMMANDS) },
  },
  'holdfast.errors': {
    type: 'counter',
    unit: '{error}',
    help: 'Errors answered, over WebSocket and HTTP.',
    labels: { code: Object.keys(ERROR_CODES) },
  },
  'holdfast.publishes': {
    type: 'counter',
    unit: '{message}',
    help: 'Publishes by outcome.',
    labels: { via: ['ws', 'http'], result: ['stored', 'duplicate', 'failed'] },
  },
  'holdfast.publish.duration.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'From a valid publish to its acknowledgement, commit included.',
    labels: { via: ['ws', 'http'] },
    buckets: SECONDS,
  },
  'holdfast.history.up': {
    type: 'gauge',
    unit: '{node}',
    help: '1 while Postgres answers this node and takes writes, else 0.',
  },
  'holdfast.history.queue': { type: 'gauge', unit: '{message}', help: 'Messages that wait for their commit.' },
  'holdfast.history.lane.wait.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'How long the oldest message of a batch waited.',
    buckets: SECONDS,
  },
  'holdfast.history.batch.messages': {
    type: 'histogram',
    unit: '{message}',
    help: 'Messages per commit.',
    buckets: COUNTS,
  },
  'holdfast.history.commit.duration.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Duration of a batch, commit included.',
    buckets: SECONDS,
  },
  'holdfast.history.statements': {
    type: 'counter',
    unit: '{statement}',
    help: 'Statements sent to Postgres by kind.',
    labels: { kind: ['append', 'page', 'tops', 'recent', 'epoch'] },
  },
  'holdfast.history.errors': {
    type: 'counter',
    unit: '{error}',
    help: 'Statements that failed by kind.',
    labels: { kind: ['append', 'page', 'tops', 'recent', 'epoch', 'upkeep'] },
  },
  'holdfast.history.partitions.dropped': {
    type: 'counter',
    unit: '{table}',
    help: 'Daily partitions that retention has dropped, of messages and of idempotency keys.',
  },
  'holdfast.history.regressions': {
    type: 'counter',
    unit: '{time}',
    help: 'Times the history was seen to lack messages that had been committed: it was restored, or a failover lost them.',
  },
  'holdfast.history.connections': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Postgres pool: busy, idle, and requests waiting for one.',
    labels: { state: ['busy', 'idle', 'waiting'] },
  },
  'holdfast.backplane.up': {
    type: 'gauge',
    unit: '{node}',
    help: '1 while messages of other nodes can arrive through Redis, else 0.',
  },
  'holdfast.backplane.canary.age.seconds': {
    type: 'gauge',
    unit: 's',
    help: 'Time since this node last heard through Redis what it had published to itself.',
  },
  'holdfast.backplane.canary.duration.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'From a publish of this node to itself through Redis until it was heard.',
    buckets: SECONDS,
  },
  'holdfast.backplane.deaf': {
    type: 'counter',
    unit: '{time}',
    help: 'Times the Redis connections were open and nothing arrived through them; they are opened anew.',
  },
  'holdfast.backplane.publishes': {
    type: 'counter',
    unit: '{message}',
    help: 'Batches handed to Redis. `skipped`: Redis was away; the others find them in the history.',
    labels: { result: ['ok', 'failed', 'skipped'] },
  },
  'holdfast.backplane.received': {
    type: 'counter',
    unit: '{message}',
    help: 'Payloads received from Redis by kind.',
    labels: { kind: ['messages', 'event', 'malformed'] },
  },
  'holdfast.backplane.reconnects': {
    type: 'counter',
    unit: '{reconnect}',
    help: 'Times the Redis subscription came back.',
  },
  'holdfast.tails': { type: 'gauge', unit: '{channel}', help: 'Channels this node follows.' },
  'holdfast.subscriptions': { type: 'gauge', unit: '{subscription}', help: 'Subscriptions on this node.' },
  'holdfast.gaps': {
    type: 'counter',
    unit: '{gap}',
    help: 'Holes in a tail that were read from the history: `hold` something came ahead, `tops` nobody announced it, `reload` the tail was stale.',
    labels: { cause: ['hold', 'tops', 'reload'] },
  },
  'holdfast.recoveries': {
    type: 'counter',
    unit: '{recovery}',
    help: 'Recoveries by result.',
    labels: { result: ['recovered', 'epoch_changed', 'history_expired', 'position_ahead'] },
  },
  'holdfast.replayed': {
    type: 'counter',
    unit: '{message}',
    help: 'Messages delivered by catch-up, by where they came from.',
    labels: { source: ['window', 'history'] },
  },
  'holdfast.deliveries': {
    type: 'counter',
    unit: '{message}',
    help: 'Messages written to live subscriptions by fan-out.',
  },
  'holdfast.delivery.lag.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'From the commit to the socket write of the newest message of a flush.',
    buckets: SECONDS,
  },
  'holdfast.fanout.duration.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Duration of one fan-out flush over all channels.',
    buckets: SECONDS,
  },
  'holdfast.events.dropped': {
    type: 'counter',
    unit: '{event}',
    help: 'Ephemeral events not written to a connection that is behind.',
  },
  'holdfast.slow.consumers': {
    type: 'counter',
    unit: '{connection}',
    help: 'Connections that passed the high-water mark (`paused`), and those closed for staying there (`closed`).',
    labels: { result: ['paused', 'closed'] },
  },
  'holdfast.unsent.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Bytes written to connections that the network has not taken yet: of all together, and of the one with the most.',
    labels: { of: ['all', 'worst'] },
  },
  'holdfast.draining': { type: 'gauge', unit: '{node}', help: '1 while this node drains.' },
  'holdfast.drain.remaining': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Connections that a drain has still to move.',
  },
  'holdfast.event.loop.lag.seconds': {
    type: 'gauge',
    unit: 's',
    help: 'Event-loop delay since the last scrape.',
    labels: { quantile: ['0.5', '0.99', '1'] },
  },
  'holdfast.event.loop.utilization.ratio': {
    type: 'gauge',
    unit: '1',
    help: 'Share of time the event loop was busy since the last scrape.',
  },
  'holdfast.memory.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Memory of the process.',
    labels: { kind: ['resident', 'heap', 'external'] },
  },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
export type MetricNameOf<T extends MetricDefinition['type']> = {
  [K in MetricName]: (typeof METRICS)[K] extends { type: T } ? K : never;
}[MetricName];

/** Labels of a metric: all of its names, none others. */
export type LabelsOf<K extends MetricName> = (typeof METRICS)[K] extends { labels: infer L }
  ? { readonly [N in keyof L]: L[N] extends readonly (infer V)[] ? V : never }
  : undefined;
