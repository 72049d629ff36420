/** Metrics of publishing and of the history. */
import type { Catalogue } from '../definition.ts';
import { COUNTS, SECONDS } from '../definition.ts';

const STATEMENTS = ['append', 'page', 'tops', 'recent', 'epoch'] as const;

export const PUBLISHING = {
  'holdfast.publishes': {
    type: 'counter',
    unit: '{message}',
    help: 'Publishes by result. `failed`: an error of the service, the client should retry. `refused`: an error of the client, such as a rate above its limit.',
    why: 'Whether clients can send. The client of a failed publish gets an error, so no acknowledged message is lost.',
    labels: { via: ['ws', 'http'], result: ['stored', 'duplicate', 'refused', 'failed'] },
  },
  'holdfast.publish.duration.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Time from a valid publish to its acknowledgement, including the commit.',
    why: 'The latency that senders see. `holdfast_publish_stage_seconds` shows in which stage it is spent.',
    labels: { via: ['ws', 'http'] },
    buckets: SECONDS,
  },
  'holdfast.publish.stage.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Time of each stage of publishing. `validate`: one publish until it is queued. `queue`: wait of the oldest message of a batch. `commit`: the Postgres statement of a batch. `publish`: Redis, until it replies.',
    why: 'High `queue` and `commit`: Postgres is slow. High `queue` alone: more messages than the lanes can commit. High `publish`: Redis is slow.',
    labels: { stage: ['validate', 'queue', 'commit', 'publish'] },
    buckets: SECONDS,
  },
  'holdfast.history.up': {
    type: 'gauge',
    unit: '{node}',
    help: '1 while Postgres accepts statements and writes from this node, else 0.',
    why: 'At 0 every publish through this node fails. Connections stay open.',
  },
  'holdfast.history.queue': {
    type: 'gauge',
    unit: '{message}',
    help: 'Messages that wait for their commit in the fullest lane. A channel always uses the same lane.',
    why: 'It grows when clients publish faster than Postgres commits, or when one channel is very busy or its row is locked.',
  },
  'holdfast.history.queue.limit': {
    type: 'gauge',
    unit: '{message}',
    help: 'Messages that may wait in one lane (HISTORY_QUEUE_MAX divided by HISTORY_LANES). Beyond it publishes fail with `overloaded`.',
    why: 'Minus the queue, it is the room that is left.',
  },
  'holdfast.history.batch.messages': {
    type: 'histogram',
    unit: '{message}',
    help: 'Messages in one commit.',
    why: 'Batches grow with the load, which keeps the number of commits low. At HISTORY_BATCH_MAX they cannot grow further.',
    buckets: COUNTS,
  },
  'holdfast.history.statements': {
    type: 'counter',
    unit: '{statement}',
    help: 'Statements sent to Postgres, by kind.',
    why: '`append`: commits. `page`: catch-up reads, which rise when many clients recover. `recent`: history polls. `tops`: exact tops. `epoch`: changes of the epoch.',
    labels: { kind: STATEMENTS },
  },
  'holdfast.history.errors': {
    type: 'counter',
    unit: '{error}',
    help: 'Failed Postgres statements by kind. `maintenance`: creating or dropping partitions. `trim`: shortening the list of recent commits.',
    why: 'The log of the node has the reason. Failing `maintenance` has no effect at first; publishing fails when the partitions created in advance are used up.',
    labels: { kind: [...STATEMENTS, 'maintenance', 'trim'] },
  },
  'holdfast.history.partitions.dropped': {
    type: 'counter',
    unit: '{table}',
    help: 'Daily partitions that retention dropped, of messages and of idempotency keys.',
    why: 'Shows that retention works, and when data was removed.',
  },
  'holdfast.history.regressions': {
    type: 'counter',
    unit: '{time}',
    help: 'Times the history was found to lack messages that were committed in its epoch: it was restored from a backup, or a failover lost them.',
    why: 'Acknowledged messages are lost, unless a backup was restored on purpose.',
  },
  'holdfast.history.connections': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Postgres connections of this node that are busy or idle, and requests that wait for one.',
    why: 'Waiting requests while no connection is idle: statements are slow, or PG_POOL_MAX is too small.',
    labels: { state: ['busy', 'idle', 'waiting'] },
  },
  'holdfast.history.connections.limit': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Postgres connections that this node may open (PG_POOL_MAX).',
    why: 'Multiplied by the number of nodes, and doubled during a deploy, it must stay below max_connections of Postgres.',
  },
  'holdfast.history.size.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Size of the database, measured by the last round of maintenance.',
    why: 'How fast the disk fills, and whether retention limits the growth.',
  },
} as const satisfies Catalogue;
