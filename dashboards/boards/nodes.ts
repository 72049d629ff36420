/** The nodes dashboard: event loop, memory, starts, drains, versions. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const NODES_BOARD: Board = {
  name: 'nodes',
  title: 'Holdfast: nodes',
  description: 'How busy is each node process, how much memory does it use, and which nodes start or drain?',
  rows: [
    {
      title: 'Event loop',
      panels: [
        {
          title: 'Event loop utilization',
          description:
            'Share of time that the event loop is busy: the real load of a node. Above 85 % latency grows faster than load: add nodes.',
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
          description:
            'Every message on the node waits this long. `max` is the longest pause of the last 10 to 20 s. Normal is below 100 ms. Above 500 ms look at CPU throttling, heap and flush duration.',
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
              legend: '{{instance}} max',
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
          description:
            'Memory of each process, and its limit: its share of the container or machine. Above 85 % look at unsent bytes and memory per connection.',
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
          title: 'JavaScript heap',
          description:
            'Used heap, and the limit of V8. Buffers of messages and frames are outside of the heap. A steady rise at a steady load is a leak.',
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
          description:
            'Resident memory divided by connections, including the memory of an idle process. It falls as connections rise. A rise at a steady load is a leak.',
          unit: 'bytes',
          alert: 'HoldfastMemoryHigh',
          queries: [
            {
              expr: `${q.gauge('holdfast.memory.bytes', 'sum', { where: { kind: 'resident' } })} / clamp_min(${q.gauge('holdfast.connections', 'sum')}, 1)`,
              legend: 'resident',
            },
            {
              expr: `${q.gauge('holdfast.memory.bytes', 'sum', { where: { kind: 'external' } })} / clamp_min(${q.gauge('holdfast.connections', 'sum')}, 1)`,
              legend: 'external (buffers)',
            },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Starts, drains and versions',
      panels: [
        {
          title: 'Node age',
          description:
            'Time since the start of each process. A deployment replaces all nodes. Young nodes without a deployment or a scale-out are crashes: read their logs.',
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
          title: 'Scrape success',
          description:
            '1: the node answers on its metrics port. 0: it is registered but does not answer, because it hangs or its event loop is blocked.',
          unit: 'short',
          alert: 'HoldfastNodeUnreachable',
          queries: [{ expr: 'up{job="holdfast", instance=~"$node"}', legend: '{{instance}}' }],
          min: 0,
          max: 1,
        },
        {
          title: 'Drains',
          description:
            'Nodes that drain, and the connections that they still have to move. The number falls at DRAIN_RATE. If it stays, read the node log.',
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
          description:
            'Running versions and the number of nodes of each. Two versions are normal during a deployment only.',
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
