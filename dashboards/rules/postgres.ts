/** The history, as the nodes see it. Without it nothing can be published. */
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
      summary: 'Nodes cannot reach Postgres: nothing can be published through them',
      description:
        '{{ $value }} nodes have no Postgres that takes writes. Publishes fail at once and retryably, connections stay, nothing acknowledged is lost. On all nodes: Postgres, or a failover. On some: their network or their password.',
      threshold: 'A Multi-AZ failover of RDS takes about a minute; longer needs a person.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastCommitsSlow',
      expr: `${q.quantile(0.99, 'holdfast.publish.stage.seconds', { where: { stage: 'commit' } })} > 0.25`,
      for: '5m',
      severity: 'ticket',
      summary: 'Commits take over 250 ms',
      description:
        'One commit in a hundred takes {{ $value | humanizeDuration }}, and every publish waits for its commit. IOPS used up, locks, a checkpoint, or a long transaction.',
      threshold: 'A commit on gp3 takes 2 to 10 ms; a quarter of a second is what people feel.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastHistoryQueueFilling',
      expr: `max by (instance) (${q.select('holdfast.history.queue')} / ${q.select('holdfast.history.queue.limit')}) > 0.5`,
      for: '1m',
      severity: 'page',
      summary: 'Publishes are about to be refused',
      description:
        'On {{ $labels.instance }} {{ $value | humanizePercentage }} of a lane’s queue for commits is taken. When it is full, publishes to the channels of that lane fail with `overloaded`. More is published than Postgres commits, or one channel is locked or very hot.',
      threshold: 'Half of a lane’s share of HISTORY_QUEUE_MAX: a queue that stands there for a minute does not drain.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastPoolExhausted',
      expr: `max by (instance) (${q.select('holdfast.history.connections', { where: { state: 'waiting' } })}) > 0`,
      for: '5m',
      severity: 'ticket',
      summary: 'Requests wait for a Postgres connection',
      description:
        'On {{ $labels.instance }} {{ $value }} requests wait because every connection is in use: statements are slow, or PG_POOL_MAX is too small for what is read.',
      threshold:
        'A herd makes requests wait for a second. Five minutes is a pool that is too small, or a slow Postgres.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastHistoryRegressed',
      expr: `sum(increase(${q.select('holdfast.history.regressions')}[15m])) > 0`,
      severity: 'page',
      summary: 'The history went back: acknowledged messages are missing',
      description:
        'Nodes hold messages that the history no longer has. It was restored from a backup, or a failover lost commits. Clients were told (a new epoch). If nobody restored anything, stop and keep everything as it is.',
      threshold: 'One is too many.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastMaintenanceFailing',
      expr: `sum(increase(${q.select('holdfast.history.errors', { where: { kind: 'maintenance' } })}[15m])) > 0 and min(${q.select('holdfast.history.up')}) == 1`,
      for: '30m',
      severity: 'ticket',
      summary: 'The maintenance of the history fails',
      description:
        'Making the partitions of the next days, or dropping old ones, failed {{ $value | humanize }} times. In HISTORY_PARTITION_DAYS_AHEAD days there is nothing to write to. The nodes’ log has the reason, often a lock or a permission.',
      threshold:
        'It runs every ten minutes, and days ahead of need: half an hour is three rounds that failed, and lets a failover of Postgres pass.',
      board: 'postgres',
    },
    {
      alert: 'HoldfastRecoveriesIncomplete',
      expr: `${q.rate('holdfast.recoveries', { not: { result: 'recovered' } })} > 0.05 * ${q.rate('holdfast.recoveries')} and ${q.rate('holdfast.recoveries', { not: { result: 'recovered' } })} > 0.05`,
      for: '5m',
      severity: 'ticket',
      summary: 'Clients come back and are told that history is gone',
      description:
        '{{ $value | humanize }} recoveries a second could not be completed: `history_expired` clients were away longer than the retention, `epoch_changed` after a restore, `position_ahead` clients of another database.',
      threshold: 'One in twenty: somebody’s laptop that slept for weeks is rarer.',
      board: 'delivery',
    },
  ],
};
