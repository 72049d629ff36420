/** Settings of the history: group commit, catch-up reads, retention and maintenance. */
import { count, integer, milliseconds, type Values } from '../env.ts';
import type { POSTGRES } from './postgres.ts';

const lanes = integer(1, 64);
const batchSize = integer(1, 10_000);
const pageSize = integer(1, 1_000);
const readConcurrency = integer(1, 100);
const cacheBytes = integer(0, 1_073_741_824);
const daysAhead = integer(1, 60);
const retentionDays = integer(0, 3_650);

export const HISTORY = {
  HISTORY_LANES: lanes({
    default: 4,
    desc: 'Batches that this node commits in parallel, each on its own Postgres connection. More lanes give more parallel commits of smaller batches. Must be below PG_POOL_MAX.',
  }),
  HISTORY_BATCH_MAX: batchSize({ default: 1_000, desc: 'Most messages in one commit.' }),
  HISTORY_QUEUE_MAX: count({
    default: 20_000,
    desc: 'Messages that may wait for a commit on this node, divided evenly among the lanes. A publish to a full lane fails with `overloaded`.',
  }),
  HISTORY_PAGE_SIZE: pageSize({ default: 200, desc: 'Messages in one page of a catch-up read.' }),
  HISTORY_READ_CONCURRENCY: readConcurrency({
    default: 4,
    desc: 'Catch-up reads that this node runs at the same time. The bound keeps connections free for other reads when many clients recover at once.',
  }),
  HISTORY_CACHE_BYTES: cacheBytes({
    default: 33_554_432,
    desc: 'Memory for recently read history pages, in bytes, shared by all subscriptions that catch up.',
  }),
  HISTORY_PARTITION_DAYS_AHEAD: daysAhead({
    default: 7,
    desc: 'Daily partitions that maintenance creates in advance, in days. Publishing goes on for this long while partitions cannot be created.',
  }),
  HISTORY_RETENTION_DAYS: retentionDays({
    default: 0,
    desc: 'Days for which messages are kept, in whole UTC days. 0 keeps all. A client cannot recover from an older position.',
  }),
  HISTORY_MAINTENANCE_INTERVAL_MS: milliseconds({
    default: 600_000,
    desc: 'Time between two rounds of maintenance, in ms. A round creates partitions in advance and drops expired ones.',
  }),
};

/** What is wrong between these settings. */
export function historyProblems({
  HISTORY_LANES,
  PG_POOL_MAX,
}: Values<typeof HISTORY> & Pick<Values<typeof POSTGRES>, 'PG_POOL_MAX'>): string[] {
  if (HISTORY_LANES < PG_POOL_MAX) return [];
  return [
    `HISTORY_LANES (${HISTORY_LANES}) must be below PG_POOL_MAX (${PG_POOL_MAX}), because reads need a connection too.`,
  ];
}
