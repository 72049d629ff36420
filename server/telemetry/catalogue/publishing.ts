/** Metrics of publishing and of the history behind it. */
import type { Catalogue } from '../definition.ts';
import { COUNTS, SECONDS } from '../definition.ts';

const STATEMENTS = ['append', 'page', 'tops', 'recent', 'epoch'] as const;

export const PUBLISHING = {
  'holdfast.publishes': {
    type: 'counter',
    unit: '{message}',
    help: 'Publishes by outcome. `failed`: for a reason of ours, retryable; `refused`: for one of the caller’s, such as its rate.',
    why: 'Whether people can send. Failed publishes are not lost, they are told so, but they are what users notice first.',
    labels: { via: ['ws', 'http'], result: ['stored', 'duplicate', 'refused', 'failed'] },
  },
  'holdfast.publish.duration.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'From a valid publish to its acknowledgement, commit included.',
    why: 'What senders wait for. Which stage it is spent in says the next one.',
    labels: { via: ['ws', 'http'] },
    buckets: SECONDS,
  },
  'holdfast.publish.stage.seconds': {
    type: 'histogram',
    unit: 's',
    help: 'Stages of publishing, per batch but the first: `validate` one publish up to its queue, `queue` the wait of a batch’s oldest message, `commit` Postgres, `publish` Redis until it answered.',
    why: 'Where the time goes: `queue` and `commit` together mean Postgres is slow, `queue` alone that there is too much, `publish` Redis.',
    labels: { stage: ['validate', 'queue', 'commit', 'publish'] },
    buckets: SECONDS,
  },
  'holdfast.history.up': {
    type: 'gauge',
    unit: '{node}',
    help: '1 while Postgres answers this node and takes writes, else 0.',
    why: 'At 0 nothing can be published through this node; connections stay.',
  },
  'holdfast.history.queue': {
    type: 'gauge',
    unit: '{message}',
    help: 'Messages that wait for their commit, in the fullest lane. A channel always uses the same lane.',
    why: 'Grows when more is published than Postgres commits, or when one channel is very hot or locked.',
  },
  'holdfast.history.queue.limit': {
    type: 'gauge',
    unit: '{message}',
    help: 'Messages that may wait in a lane (HISTORY_QUEUE_MAX over HISTORY_LANES); beyond it publishes fail with `overloaded`.',
    why: 'How much of the queue is left.',
  },
  'holdfast.history.batch.messages': {
    type: 'histogram',
    unit: '{message}',
    help: 'Messages per commit.',
    why: 'Batches grow with the load, which is how one Postgres takes so much; at HISTORY_BATCH_MAX they no longer can.',
    buckets: COUNTS,
  },
  'holdfast.history.statements': {
    type: 'counter',
    unit: '{statement}',
    help: 'Statements sent to Postgres by kind.',
    why: '`page` rises when many catch up, `recent` is the check for what nobody announced, `append` are commits.',
    labels: { kind: STATEMENTS },
  },
  'holdfast.history.errors': {
    type: 'counter',
    unit: '{error}',
    help: 'Statements that failed by kind; `maintenance`: making partitions, dropping old ones; `trim`: shortening the list of commits.',
    why: 'The node’s log has the reason. A failing `maintenance` does not hurt today: in some days there is no partition to write to.',
    labels: { kind: [...STATEMENTS, 'maintenance', 'trim'] },
  },
  'holdfast.history.partitions.dropped': {
    type: 'counter',
    unit: '{table}',
    help: 'Daily partitions that retention has dropped, of messages and of idempotency keys.',
    why: 'That retention works, and when something was dropped.',
  },
  'holdfast.history.regressions': {
    type: 'counter',
    unit: '{time}',
    help: 'Times the history was seen to lack messages that had been committed: it was restored, or a failover lost them.',
    why: 'Acknowledged messages are gone. Was it you who restored a backup?',
  },
  'holdfast.history.connections': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Postgres pool: busy, idle, and requests waiting for one.',
    why: 'Waiting requests while all are busy: statements are slow, or the pool is too small.',
    labels: { state: ['busy', 'idle', 'waiting'] },
  },
  'holdfast.history.connections.limit': {
    type: 'gauge',
    unit: '{connection}',
    help: 'Postgres connections this node may open (PG_POOL_MAX).',
    why: 'Times the number of nodes, and twice that in a deploy, it must stay below max_connections of Postgres.',
  },
  'holdfast.history.size.bytes': {
    type: 'gauge',
    unit: 'By',
    help: 'Size of the database, as of the last maintenance.',
    why: 'How fast the disk fills, and whether retention keeps up.',
  },
} as const satisfies Catalogue;
