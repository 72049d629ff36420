/** The capacity dashboard: connections, nodes, storage, and what runs out first. */
import type { Board } from '../lib/panel.ts';
import { queries, share } from '../lib/query.ts';
import { CONNECTIONS_SUM } from '../rules/connections.ts';
import { NODES, SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const CAPACITY: Board = {
  name: 'capacity',
  title: 'Holdfast: capacity',
  description: 'How much capacity is left, and what runs out first?',
  rows: [
    {
      title: 'Connection capacity',
      panels: [
        {
          title: 'Connection utilization',
          description:
            'Open connections divided by the connections that all nodes accept. Autoscaling aims at 50 %. Above 67 % the loss of one of three zones leaves too little capacity: add nodes.',
          unit: 'percentunit',
          alert: 'HoldfastHeadroomLow',
          queries: [
            {
              expr: share(q.gauge('holdfast.connections', 'sum'), q.gauge('holdfast.connections.limit', 'sum')),
              legend: 'in use',
            },
          ],
          thresholds: [{ color: 'green' }, { color: 'red', value: 0.667 }],
          min: 0,
          max: 1,
        },
        {
          title: 'Connections and limit',
          description:
            'Open connections of all nodes, and the sum of their limits (MAX_CONNECTIONS). The lines must stay apart; if they meet, clients are refused.',
          unit: 'short',
          alert: 'HoldfastHeadroomLow',
          queries: [
            { expr: q.gauge('holdfast.connections', 'sum'), legend: 'connections' },
            { expr: q.gauge('holdfast.connections.limit', 'sum'), legend: 'limit' },
          ],
          min: 0,
        },
        {
          title: 'Connections per node',
          description:
            'Autoscaling follows the mean. A max far above the mean is normal after a scale-out, because connections stay on their node. At MAX_CONNECTIONS a node refuses clients.',
          unit: 'short',
          alert: 'HoldfastConnectionsRefused',
          queries: [
            { expr: q.gauge('holdfast.connections', 'max'), legend: 'max' },
            { expr: q.gauge('holdfast.connections', 'avg'), legend: 'mean' },
            { expr: q.gauge('holdfast.connections', 'min'), legend: 'min' },
          ],
          min: 0,
        },
        {
          title: 'Nodes',
          description:
            'Nodes that answer scrapes. Changes follow autoscaling and deployments. Any other fall is a crash: look at node starts.',
          unit: 'short',
          alert: 'HoldfastNodesAbsent',
          queries: [{ expr: NODES, legend: 'nodes' }],
          min: 0,
        },
        {
          title: 'Connections, forecast for 4 h',
          description:
            'Linear forecast from the last hour, and the current limit. If the forecast passes the limit, check that autoscaling can still add nodes.',
          unit: 'short',
          alert: 'HoldfastHeadroomLow',
          queries: [
            {
              expr: `clamp_min(predict_linear(${CONNECTIONS_SUM}[1h], 4 * 3600), 0)`,
              legend: 'in 4 h',
            },
            { expr: q.gauge('holdfast.connections.limit', 'sum'), legend: 'limit' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Resources',
      panels: [
        {
          title: 'Deliveries per busy second',
          description:
            'Messages delivered per second of busy event loop: the throughput of one CPU core with this load. A fall without a change of load means that deliveries became more expensive.',
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
          title: 'Database growth',
          description:
            'Bytes per day, extrapolated from the last 6 hours. Compare with the free storage. If it does not level off, check retention (HISTORY_RETENTION_DAYS).',
          unit: 'bytes',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: 'max(deriv(holdfast_history_size_bytes[6h])) * 86400', legend: 'per day' }],
        },
        {
          title: 'Postgres pool utilization',
          description:
            'Busy Postgres connections divided by the sum of the pools (PG_POOL_MAX). If it stays near 100 %, requests wait: look for slow statements.',
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
