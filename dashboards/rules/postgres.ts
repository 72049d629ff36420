/** Alerts on Postgres, which holds the history, as measured by the nodes. Without Postgres nothing can be published. */
import { queries } from '../lib/query.ts';
import type { RuleGroup } from '../lib/rule.ts';

const q = queries({ range: '5m' });

export const POSTGRES_RULES: RuleGroup = {
  name: 'postgres',
  alerts: [
    {
      alert: 'HoldfastPostgresDown',
      expr: `count(${q.select('holdfast.history.up')} == 0) > 0`,
      for: '1m',
      severity: 'page',
      summary: 'Users cannot send messages on some nodes: Postgres is unreachable',
      description:
        '{{ $value }} nodes have no Postgres that accepts writes. Publishes fail at once and can be retried; no acknowledged message is lost. Most likely Postgres is down or failing over; if only some nodes are affected, their network or password. First check that the primary runs.',
      threshold: 'A Multi-AZ failover of RDS takes about a minute. A longer outage needs an engineer.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastCommitsSlow',
      expr: `${q.quantile(0.99, 'holdfast.publish.stage.seconds', { where: { stage: 'commit' } })} > 0.25`,
      for: '5m',
      severity: 'ticket',
      summary: 'Sending a message is slow: commits take over 250 ms',
      description:
        'The p99 duration of a commit is {{ $value | humanizeDuration }}, and every publish waits for its commit. Most likely the storage has no IOPS left, or a lock, a checkpoint or a long transaction delays writes. First look for waiting and long-running statements in pg_stat_activity.',
      threshold: 'A commit on gp3 storage takes 2 to 10 ms. Users notice a delay of 250 ms.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastHistoryQueueFilling',
      expr: `max by (instance) (${q.select('holdfast.history.queue')} / ${q.select('holdfast.history.queue.limit')}) > 0.5`,
      for: '1m',
      severity: 'page',
      summary: 'Sending is slow and will soon fail on {{ $labels.instance }}: commit queue fills',
      description:
        'On {{ $labels.instance }}, {{ $value | humanizePercentage }} of the fullest commit queue (lane) is in use. When it is full, publishes to its channels fail with `overloaded`. Most likely commits are slow, or one channel is locked or very busy. First compare queue and commit time on the dashboard, then look for locks.',
      threshold:
        'Half of the queue of one lane (HISTORY_QUEUE_MAX / HISTORY_LANES, 5,000 messages by default). A queue that stays half full for a minute does not drain by itself.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastPoolExhausted',
      expr: `max by (instance) (${q.select('holdfast.history.connections', { where: { state: 'waiting' } })}) > 0`,
      for: '5m',
      severity: 'ticket',
      summary: 'Loading messages is slow on {{ $labels.instance }}: no free Postgres connection',
      description:
        'On {{ $labels.instance }}, {{ $value }} requests wait for a Postgres connection because all are busy. Most likely statements are slow or blocked, or PG_POOL_MAX is too small for the reads. First look for slow and blocked statements in pg_stat_activity.',
      threshold:
        'During a reconnect storm requests wait for about a second. Five minutes mean slow statements or a pool that is too small.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastHistoryRegressed',
      expr: `sum(increase(${q.select('holdfast.history.regressions')}[15m])) > 0`,
      severity: 'page',
      summary: 'Users miss messages: acknowledged messages are gone from the history',
      description:
        'Nodes saw {{ $value | humanize }} times in 15 minutes that Postgres lacks committed messages. Either a backup was restored or a failover lost commits. Clients were notified by a new epoch. Unless a restore was intended, first stop all changes and preserve the database and logs.',
      threshold: 'No acknowledged message may be lost: a single occurrence pages.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastMaintenanceFailing',
      expr: `sum(increase(${q.select('holdfast.history.errors', { where: { kind: 'maintenance' } })}[15m])) > 0 and min(${q.select('holdfast.history.up')}) == 1`,
      for: '30m',
      severity: 'ticket',
      summary: 'Nothing yet: partitions of the history cannot be created or dropped',
      description:
        'Maintenance failed {{ $value | humanize }} times in 15 minutes. Without new partitions, publishes fail after HISTORY_PARTITION_DAYS_AHEAD days (7 by default); expired ones use up the disk. Most likely a lock or a missing permission. First read the reason in the node log.',
      threshold:
        'Maintenance runs every 10 minutes by default: 30 minutes are three failed rounds. A Postgres failover fails only one. The alert is suppressed while Postgres is down.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastRecoveriesIncomplete',
      expr: `${q.rate('holdfast.recoveries', { not: { result: 'recovered' } })} > 0.05 * ${q.rate('holdfast.recoveries')} and ${q.rate('holdfast.recoveries', { not: { result: 'recovered' } })} > 0.05`,
      for: '5m',
      severity: 'ticket',
      summary: 'Some users must reload channels: missed messages cannot be recovered',
      description:
        '{{ $value | humanize }} recoveries per second end with `recovered: false`. First see which result rises on the dashboard: `epoch_changed` follows a restore, `history_expired` an absence longer than the retention, `position_ahead` a position from another database.',
      threshold: 'Devices that were offline for longer than the retention are rarer than 1 in 20 recoveries.',
      board: 'delivery',
    },
  ],
};
