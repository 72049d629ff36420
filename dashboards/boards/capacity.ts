/** How much room is left, where, and for how long. */
import type { Board } from '../lib/panel.ts';
import { queries, share } from '../lib/query.ts';
import { CONNECTIONS_SUM } from '../rules/connections.ts';
import { NODES, SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const CAPACITY: Board = {
  name: 'capacity',
  title: 'Holdfast: capacity',
  description: 'How much room is left, and what will be full first.',
  rows: [
    {
      title: 'Places',
      panels: [
        {
          title: 'Taken places',
          description:
            'Connections over what all nodes accept. Above two thirds the loss of one of three zones would not fit.',
          unit: 'percentunit',
          alert: 'HoldfastHeadroomLow',
          queries: [
            {
              expr: share(q.gauge('holdfast.connections', 'sum'), q.gauge('holdfast.connections.limit', 'sum')),
              legend: 'taken',
            },
          ],
          thresholds: [{ color: 'green' }, { color: 'red', value: 0.667 }],
          min: 0,
          max: 1,
        },
        {
          title: 'Connections and places',
          description: 'Of all nodes together.',
          unit: 'short',
          alert: 'HoldfastHeadroomLow',
          queries: [
            { expr: q.gauge('holdfast.connections', 'sum'), legend: 'connections' },
            { expr: q.gauge('holdfast.connections.limit', 'sum'), legend: 'places' },
          ],
          min: 0,
        },
        {
          title: 'Connections per node',
          description: 'What autoscaling follows is the mean; what is full first is the fullest.',
          unit: 'short',
          alert: 'HoldfastConnectionsRefused',
          queries: [
            { expr: q.gauge('holdfast.connections', 'max'), legend: 'fullest' },
            { expr: q.gauge('holdfast.connections', 'avg'), legend: 'mean' },
            { expr: q.gauge('holdfast.connections', 'min'), legend: 'emptiest' },
          ],
          min: 0,
        },
        {
          title: 'Nodes over time',
          description: 'As autoscaling and deploys would have it.',
          unit: 'short',
          alert: 'HoldfastNodesAbsent',
          queries: [{ expr: NODES, legend: 'nodes' }],
          min: 0,
        },
        {
          title: 'Connections in four hours',
          description: 'The line of the last hour drawn on. Above the places: more nodes will be needed.',
          unit: 'short',
          alert: 'HoldfastHeadroomLow',
          queries: [
            {
              expr: `clamp_min(predict_linear(${CONNECTIONS_SUM}[1h], 4 * 3600), 0)`,
              legend: 'in four hours',
            },
            { expr: q.gauge('holdfast.connections.limit', 'sum'), legend: 'places' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Work',
      panels: [
        {
          title: 'Deliveries per busy second',
          description:
            'What a node delivers for each second that its event loop is busy: what one core is good for with these channels.',
          unit: 'ops',
          alert: 'HoldfastEventLoopSaturated',
          queries: [
            {
              expr: share(q.rate('holdfast.deliveries'), q.gauge('holdfast.event.loop.utilization.ratio', 'sum')),
              legend: 'per busy second',
            },
          ],
          min: 0,
        },
        {
          title: 'Growth of the history',
          description: 'Bytes per day, from the last six hours.',
          unit: 'bytes',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: 'max(deriv(holdfast_history_size_bytes[6h])) * 86400', legend: 'a day' }],
        },
        {
          title: 'Postgres connections against the pools',
          description: 'Busy ones over what the nodes may open.',
          unit: 'percentunit',
          alert: 'HoldfastPoolExhausted',
          queries: [
            {
              expr: share(
                q.gauge('holdfast.history.connections', 'sum', { where: { state: 'busy' } }),
                q.gauge('holdfast.history.connections.limit', 'sum'),
              ),
              legend: 'busy',
            },
          ],
          min: 0,
          max: 1,
        },
      ],
    },
  ],
};
