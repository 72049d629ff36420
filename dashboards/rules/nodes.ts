/** Alerts on node processes: presence, event loop, memory, drain, clock. */
import { lately, queries } from '../lib/query.ts';
import type { RuleGroup } from '../lib/rule.ts';

const q = queries({ range: '5m' });
const draining = q.select('holdfast.draining');

export const NODE_RULES: RuleGroup = {
  name: 'nodes',
  alerts: [
    {
      alert: 'HoldfastNodesAbsent',
      expr: `absent(${lately('up{job="holdfast"}')} == 1)`,
      for: '2m',
      severity: 'page',
      summary: 'The service may be down: no node reports metrics',
      description:
        'Prometheus sees no running node. Either no node runs, or the collection of metrics is broken. First look at the probes: if their rounds succeed, the service works and only the collection of metrics is broken.',
      threshold: 'A deployment starts new nodes before it stops old ones, so at least one node always runs.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastNodeUnreachable',
      expr: `up{job="holdfast"} == 0`,
      for: '3m',
      severity: 'ticket',
      summary: 'Users on {{ $labels.instance }} may get nothing: it does not answer scrapes',
      description:
        '{{ $labels.instance }} is registered but does not answer on its metrics port. Most likely its event loop is blocked or the process hangs. The health check of the load balancer should replace it; if it has not, first save its log, then stop the node.',
      threshold: 'Three minutes are longer than the health check takes to replace a node.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastEventLoopBlocked',
      expr: `max by (instance) (max_over_time(${q.select('holdfast.event.loop.lag.seconds', { where: { quantile: '1' } })}[2m])) > 0.5`,
      for: '3m',
      severity: 'ticket',
      summary: 'Users on {{ $labels.instance }} see delays: its event loop is blocked at times',
      description:
        'The longest event loop pause of {{ $labels.instance }} in the last 2 minutes is {{ $value | humanizeDuration }}. Most likely its CPU is throttled or taken by a neighbour, a nearly full heap is collected, or a fan-out is very large. First compare its memory with the fan-out duration on the dashboards.',
      threshold:
        'Everything on the node waits for the length of the pause. Garbage collection normally takes well under 100 ms.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastEventLoopSaturated',
      expr: `max by (instance) (avg_over_time(${q.select('holdfast.event.loop.utilization.ratio')}[5m])) > 0.85`,
      for: '5m',
      severity: 'ticket',
      summary: 'Messages arrive late for users on {{ $labels.instance }}: it is at full load',
      description:
        'The event loop of {{ $labels.instance }} was busy {{ $value | humanizePercentage }} of the last 5 minutes and can take no more work, even if the CPU of the task looks low. Most likely there are too few nodes, or one channel is very busy. First compare the nodes: if all are busy, add nodes.',
      threshold: 'Above 85 % utilization, latency grows faster than load.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastMemoryHigh',
      expr: `max by (instance, kind) (${q.select('holdfast.memory.bytes', { where: { kind: ['resident', 'heap'] } })} / ${q.select('holdfast.memory.limit.bytes')}) > 0.85`,
      for: '3m',
      severity: 'page',
      summary: 'Nothing yet: {{ $labels.instance }} will soon run out of memory ({{ $labels.kind }})',
      description:
        '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its {{ $labels.kind }} memory limit. At the limit the process ends and all its clients reconnect at once. Most likely slow consumers hold unsent bytes, it has too many connections for its size, or it leaks. First look at unsent bytes and memory per connection.',
      threshold:
        'Above 85 %, V8 collects garbage ever more often. During a reconnect storm the remaining 15 % last for minutes.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastDrainStuck',
      // min_over_time still sees a node for 10 minutes after it has ended; the second condition excludes it.
      expr: `min_over_time(${draining}[10m]) == 1 and ${draining} == 1`,
      for: '5m',
      severity: 'ticket',
      summary: 'Nothing yet: {{ $labels.instance }} drains without end and blocks a deployment',
      description:
        '{{ $labels.instance }} has been draining for 15 minutes. Most likely DRAIN_RATE is too low for its connections, or the process got no SIGTERM after the drain. First look at its remaining connections on the dashboard: if they fall, wait; if there are none, stop the process.',
      threshold: 'The deregistration delay and DRAIN_TIMEOUT_MS limit a drain to a few minutes.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastClockSkew',
      expr: `sum by (instance) (rate(${q.select('holdfast.clock.disagreements')}[10m])) > 0.01`,
      for: '5m',
      severity: 'ticket',
      summary: 'Nothing yet: the clocks of {{ $labels.instance }} and Postgres disagree',
      description:
        'On {{ $labels.instance }}, {{ $value | humanize }} flushes per second end over 20 ms before their commit, by the clocks, so its delivery lag is wrong. If the clock of the node is wrong, it may also reject valid tokens or accept expired ones. First check NTP on the node, then on Postgres.',
      threshold: 'NTP keeps clocks within 1 to 2 ms of each other; only differences above 20 ms are counted.',
      board: 'nodes',
    },
  ],
};
