/** The processes: event loop, memory, starts, drains. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const NODES_BOARD: Board = {
  name: 'nodes',
  title: 'Holdfast: nodes',
  description: 'The processes themselves: how busy, how full, how old, and who is leaving.',
  rows: [
    {
      title: 'Event loop',
      panels: [
        {
          title: 'Event loop utilization',
          description:
            'Busy share of the time: the true load of a node. Above 85 % latency grows faster than the load.',
          unit: 'percentunit',
          alert: 'HoldfastEventLoopSaturated',
          queries: [
            {
              expr: q.gauge('holdfast.event.loop.utilization.ratio', 'max', { by: ['instance'] }),
              legend: '{{instance}}',
            },
          ],
          width: 12,
          min: 0,
          max: 1,
        },
        {
          title: 'Event loop lag',
          description: 'Everything on the node waits this long. `worst` is the longest pause of the last 10 to 20 s.',
          unit: 's',
          alert: 'HoldfastEventLoopBlocked',
          queries: [
            {
              expr: q.gauge('holdfast.event.loop.lag.seconds', 'max', {
                where: { quantile: '0.99' },
                by: ['instance'],
              }),
              legend: '{{instance}} p99',
            },
            {
              expr: q.gauge('holdfast.event.loop.lag.seconds', 'max', { where: { quantile: '1' }, by: ['instance'] }),
              legend: '{{instance}} worst',
            },
          ],
          width: 12,
          min: 0,
        },
      ],
    },
    {
      title: 'Memory',
      panels: [
        {
          title: 'Resident memory',
          description: 'Of each process, and what ends it.',
          unit: 'bytes',
          alert: 'HoldfastMemoryHigh',
          queries: [
            {
              expr: q.gauge('holdfast.memory.bytes', 'max', { where: { kind: 'resident' }, by: ['instance'] }),
              legend: '{{instance}}',
            },
            { expr: q.gauge('holdfast.memory.limit.bytes', 'min', { where: { kind: 'resident' } }), legend: 'limit' },
          ],
          min: 0,
        },
        {
          title: 'Heap',
          description: 'JavaScript’s part, and V8’s limit. Messages and frames are outside of it.',
          unit: 'bytes',
          alert: 'HoldfastMemoryHigh',
          queries: [
            {
              expr: q.gauge('holdfast.memory.bytes', 'max', { where: { kind: 'heap' }, by: ['instance'] }),
              legend: '{{instance}}',
            },
            { expr: q.gauge('holdfast.memory.limit.bytes', 'min', { where: { kind: 'heap' } }), legend: 'limit' },
          ],
          min: 0,
        },
        {
          title: 'Memory per connection',
          description: 'Resident memory over connections, the empty process included. Rising at a steady load: a leak.',
          unit: 'bytes',
          alert: 'HoldfastMemoryHigh',
          queries: [
            {
              expr: `${q.gauge('holdfast.memory.bytes', 'sum', { where: { kind: 'resident' } })} / clamp_min(${q.gauge('holdfast.connections', 'sum')}, 1)`,
              legend: 'bytes',
            },
            {
              expr: `${q.gauge('holdfast.memory.bytes', 'sum', { where: { kind: 'external' } })} / clamp_min(${q.gauge('holdfast.connections', 'sum')}, 1)`,
              legend: 'of them buffers',
            },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Coming and going',
      panels: [
        {
          title: 'Age of nodes',
          description: 'Time since each process started. Young ones without a deploy: crashes.',
          unit: 's',
          alert: 'HoldfastNodesAbsent',
          queries: [
            {
              expr: `time() - ${q.gauge('holdfast.start.time.seconds', 'max', { by: ['instance'] })}`,
              legend: '{{instance}}',
            },
          ],
          min: 0,
        },
        {
          title: 'Answering their scrapes',
          description: '1: the node answers on its metrics port. 0: it runs, and hangs.',
          unit: 'short',
          alert: 'HoldfastNodeUnreachable',
          queries: [{ expr: 'up{job="holdfast", instance=~"$node"}', legend: '{{instance}}' }],
          min: 0,
          max: 1,
        },
        {
          title: 'Drains',
          description: 'Nodes that are leaving service, and the connections they have still to move.',
          unit: 'short',
          alert: 'HoldfastDrainStuck',
          queries: [
            { expr: q.gauge('holdfast.draining', 'sum'), legend: 'draining nodes' },
            { expr: q.gauge('holdfast.drain.remaining', 'sum'), legend: 'connections to move' },
          ],
          min: 0,
        },
        {
          title: 'Versions',
          description: 'What runs where. Two versions for long: a deploy that does not end.',
          unit: 'short',
          kind: 'table',
          alert: 'HoldfastDrainStuck',
          queries: [
            { expr: 'count by (service_version) (target_info{job="holdfast"})', legend: '{{service_version}}' },
          ],
          width: 24,
          height: 6,
        },
      ],
    },
  ],
};
