/** The processes themselves. */
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
      summary: 'No node reports',
      description:
        'Prometheus sees no living node at all: none runs, or the way of the metrics is broken. Is the probe well? Then it is the metrics.',
      threshold: 'A deploy starts new nodes before it ends old ones: there is always one.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastNodeUnreachable',
      expr: `up{job="holdfast"} == 0`,
      for: '3m',
      severity: 'ticket',
      summary: 'A node does not answer its scrapes ({{ $labels.instance }})',
      description:
        '{{ $labels.instance }} runs and does not answer on its metrics port: its event loop is blocked, or it hangs. The load balancer’s health check should replace it.',
      threshold: 'Three minutes: longer than a health check takes to replace it.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastEventLoopBlocked',
      expr: `max by (instance) (max_over_time(${q.select('holdfast.event.loop.lag.seconds', { where: { quantile: '1' } })}[2m])) > 0.5`,
      for: '3m',
      severity: 'ticket',
      summary: 'A node stands still for moments ({{ $labels.instance }})',
      description:
        'The event loop of {{ $labels.instance }} was blocked for up to {{ $value | humanizeDuration }}, again and again. CPU that is taken away (a noisy neighbour, throttling), garbage collection of a full heap, or a fan-out to very many.',
      threshold: 'Everything on the node waits that long; garbage collection takes well under 100 ms.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastEventLoopSaturated',
      expr: `max by (instance) (avg_over_time(${q.select('holdfast.event.loop.utilization.ratio')}[5m])) > 0.85`,
      for: '5m',
      severity: 'ticket',
      summary: 'A node is full ({{ $labels.instance }})',
      description:
        'The event loop of {{ $labels.instance }} is busy {{ $value | humanizePercentage }} of the time: it has no more to give, whatever CPU the task shows. Too much for one node: more nodes, or a channel that is too hot.',
      threshold: 'Above 85 % latency grows faster than the load.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastMemoryHigh',
      expr: `max by (instance, kind) (${q.select('holdfast.memory.bytes', { where: { kind: ['resident', 'heap'] } })} / ${q.select('holdfast.memory.limit.bytes')}) > 0.85`,
      for: '3m',
      severity: 'page',
      summary: 'A node is about to run out of memory ({{ $labels.instance }}, {{ $labels.kind }})',
      description:
        '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of what ends it. When it does, all of its clients reconnect at once. Slow consumers (unsent bytes), too many connections for its size, or a leak.',
      threshold: 'V8 collects ever more often from there on; 15 % is minutes at the pace of a herd.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastDrainStuck',
      // Still there, and draining: of a node that has ended, the last ten minutes are seen too.
      expr: `min_over_time(${draining}[10m]) == 1 and ${draining} == 1`,
      for: '5m',
      severity: 'ticket',
      summary: 'A node drains and does not end ({{ $labels.instance }})',
      description:
        '{{ $labels.instance }} has been draining for a quarter of an hour. The deployment waits for it. DRAIN_RATE is too low for its connections, or nobody ends the process.',
      threshold: 'DRAIN_TIMEOUT_MS and the deregistration delay are minutes.',
      board: 'nodes',
    },
    {
      alert: 'HoldfastClockSkew',
      expr: `sum by (instance) (rate(${q.select('holdfast.clock.disagreements')}[10m])) > 0.01`,
      for: '5m',
      severity: 'ticket',
      summary: 'The clocks of a node and of Postgres disagree ({{ $labels.instance }})',
      description:
        '{{ $labels.instance }} writes messages to sockets before, by its clock, they were committed. Its delivery lags are wrong, and tokens may be refused as not yet valid or let in when expired.',
      threshold: 'Clocks kept by NTP differ by a millisecond or two; counted is what exceeds 20.',
      board: 'nodes',
    },
  ],
};
