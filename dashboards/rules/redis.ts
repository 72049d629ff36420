/** Alerts on Redis, the backplane, as measured by the nodes. Without Redis messages arrive later, and none is lost. */
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
      summary: 'Messages arrive later, typing and presence are partial: Redis is unreachable',
      description:
        '{{ $value }} nodes receive nothing through Redis and read new messages from Postgres every 200 ms by default, which adds load there. No message is lost. Most likely Redis is down; if only some nodes are affected, their network or credentials. First check that Redis runs.',
      threshold:
        'An ElastiCache failover takes well under a minute and only adds latency. How long a longer outage lasts is unknown, and Postgres carries the load of degraded mode meanwhile.',
      board: 'redis',
    },
    {
      alert: 'HoldfastRedisDeaf',
      expr: `sum by (instance) (increase(${q.select('holdfast.backplane.deaf')}[15m])) > 2.5`,
      severity: 'ticket',
      summary: 'Messages arrive late at times: Redis stops delivering to {{ $labels.instance }}',
      description:
        'Open Redis connections of {{ $labels.instance }} delivered no canary for REDIS_CANARY_TIMEOUT_MS, {{ $value | humanize }} times in 15 minutes; the node reconnects each time. Most likely Redis is overloaded, the network drops packets, or a Redis permission is missing. First check CPU and log of Redis.',
      threshold:
        'One occurrence is a failover. Three in 15 minutes have a lasting cause. Prometheus extrapolates increases, so two occurrences may read as slightly more than 2: the threshold is 2.5.',
      board: 'redis',
    },
    {
      alert: 'HoldfastRedisSlow',
      expr: `${q.quantile(0.99, 'holdfast.backplane.canary.duration.seconds')} > 0.1`,
      for: '5m',
      severity: 'ticket',
      summary: 'Messages arrive late: Redis takes over 100 ms between nodes',
      description:
        'The p99 time of a canary from a node through Redis and back is {{ $value | humanizeDuration }}. Most likely Redis has used up its one CPU core, the network is slow, or event loops of nodes are busy. First compare the CPU of Redis with the event loop lag of the nodes.',
      threshold:
        'Within one region it is normally well under 5 ms. 100 ms is 40 % of the 250 ms that the delivery SLO allows.',
      board: 'redis',
    },
    {
      alert: 'HoldfastRedisRefuses',
      expr: `${q.rate('holdfast.backplane.publishes', { where: { result: 'failed' } })} > 0.05`,
      for: '3m',
      severity: 'ticket',
      summary: 'Messages arrive seconds late: Redis is reachable but publishes fail',
      description:
        '{{ $value | humanize }} publishes to Redis fail per second. Other nodes read those messages from Postgres later; none is lost. Most likely a Redis permission (ACL) is missing, or replies take longer than REDIS_TIMEOUT_MS. First publish by hand with the credentials of a node.',
      threshold: 'A failover makes some publishes fail for seconds. Three minutes are longer than any failover.',
      board: 'redis',
    },
    {
      alert: 'HoldfastAnnouncementsLost',
      expr: `${q.rate('holdfast.gaps', { where: { cause: 'poll' } })} > 0.1 and ${orZero(`min(${q.select('holdfast.backplane.up')})`)} == 1`,
      for: '5m',
      severity: 'ticket',
      summary: 'Some messages arrive seconds late: Redis does not carry them',
      description:
        '{{ $value | humanize }} times per second a node read from Postgres what should have come through Redis, although Redis is up. Most likely nodes differ in REDIS_URL or REDIS_PREFIX, lack a permission, or run incompatible versions. First compare these settings and the versions.',
      threshold:
        'A node that is killed between commit and publish leaves one or two such gaps. A steady rate has a lasting cause. While a node has no Redis, such gaps are expected and the alert is suppressed.',
      board: 'delivery',
    },
  ],
};
