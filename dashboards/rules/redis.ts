/** Redis, as the nodes see it. It is a latency hint: without it messages arrive later, and none is lost. */
import { orZero, queries } from '../lib/query.ts';
import type { RuleGroup } from '../lib/rule.ts';

const q = queries({ range: '5m' });

export const REDIS_RULES: RuleGroup = {
  name: 'redis',
  alerts: [
    {
      alert: 'HoldfastRedisDown',
      expr: `count(${q.select('holdfast.backplane.up')} == 0) > 0`,
      for: '1m',
      severity: 'page',
      summary: 'Nodes work degraded: Redis does not carry their messages',
      description:
        '{{ $value }} nodes get nothing through Redis. Messages of other nodes arrive by reading the history, some 200 ms later, and the load on Postgres rises; typing and presence stay on their node.',
      threshold:
        'A failover of ElastiCache takes well under a minute, and clients see only latency. Longer, nobody knows how long, and the load of the degraded mode is on Postgres.',
      board: 'redis',
    },
    {
      alert: 'HoldfastRedisDeaf',
      expr: `sum by (instance) (increase(${q.select('holdfast.backplane.deaf')}[15m])) > 2.5`,
      severity: 'ticket',
      summary: 'Redis goes deaf on a node again and again',
      description:
        'On {{ $labels.instance }} the connections to Redis stood open and carried nothing, {{ $value | humanize }} times in 15 minutes. Output buffers that overflow (client-output-buffer-limit pubsub), a network that drops, or permissions.',
      threshold:
        'Once is a failover. Three times in a quarter of an hour is a cause that stays; Prometheus extrapolates, so two may read as a little over two.',
      board: 'redis',
    },
    {
      alert: 'HoldfastRedisSlow',
      expr: `${q.quantile(0.99, 'holdfast.backplane.canary.duration.seconds')} > 0.1`,
      for: '5m',
      severity: 'ticket',
      summary: 'The way through Redis takes over 100 ms',
      description:
        'One in a hundred messages needs {{ $value | humanizeDuration }} from node to node. Redis at its one core, a network, or event loops that are late.',
      threshold: 'Well under 5 ms is usual within a region; 100 ms is 40 % of what the delivery promise allows.',
      board: 'redis',
    },
    {
      alert: 'HoldfastRedisRefuses',
      expr: `${q.rate('holdfast.backplane.publishes', { where: { result: 'failed' } })} > 0.05`,
      for: '3m',
      severity: 'ticket',
      summary: 'Redis is there and does not take messages',
      description:
        '{{ $value | humanize }} batches a second could not be published. Other nodes find them in the history, later. A permission (ACL), or an answer that takes longer than REDIS_TIMEOUT_MS.',
      threshold: 'A failover fails some for seconds; three minutes is longer than any.',
      board: 'redis',
    },
    {
      alert: 'HoldfastAnnouncementsLost',
      expr: `${q.rate('holdfast.gaps', { where: { cause: 'poll' } })} > 0.1 and ${orZero(`min(${q.select('holdfast.backplane.up')})`)} == 1`,
      for: '5m',
      severity: 'ticket',
      summary: 'Messages are found in the history that nobody announced',
      description:
        '{{ $value | humanize }} times a second a node found messages in the history that had not come through Redis, although it is up. They arrive, seconds late. Nodes with different REDIS_URL or REDIS_PREFIX, permissions on channels, or payloads of another version.',
      threshold: 'A node killed between commit and publish leaves one or two. A stream of them has a cause.',
      board: 'delivery',
    },
  ],
};
