/** The overview dashboard: can clients connect, publish and receive, and do probes confirm it? */
import type { Board } from '../lib/panel.ts';
import { orZero, queries, share } from '../lib/query.ts';
import { badRatio } from '../lib/slo.ts';
import { NODES, PROBES, SCOPE } from './scope.ts';

const q = queries(SCOPE);
const all = queries(PROBES);

export const OVERVIEW: Board = {
  name: 'overview',
  title: 'Holdfast: overview',
  description: 'Can clients connect, publish and receive, and do probes confirm it?',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Nodes',
          description:
            'Nodes that answer scrapes. A deployment doubles them for a while. 0 means that the service is down or metrics are not collected.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastNodesAbsent',
          queries: [{ expr: NODES, legend: 'nodes' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Connections',
          description: 'Open WebSocket connections on all nodes. A sudden fall means that clients were disconnected.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastConnectionsLost',
          queries: [{ expr: q.gauge('holdfast.connections', 'sum'), legend: 'connections' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Messages stored',
          description: 'Messages committed to Postgres per second. 0 at a busy hour means that clients cannot publish.',
          unit: 'ops',
          kind: 'value',
          alert: 'HoldfastPublishBudgetBurn',
          queries: [{ expr: q.rate('holdfast.publishes', { where: { result: 'stored' } }), legend: 'stored' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Messages delivered',
          description: 'Messages written to live subscriptions per second. It normally follows the messages stored.',
          unit: 'ops',
          kind: 'value',
          alert: 'HoldfastDeliverBudgetBurn',
          queries: [{ expr: q.rate('holdfast.deliveries'), legend: 'delivered' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Degraded nodes',
          description:
            'Nodes without Redis. Normal is 0. Their messages arrive later and none is lost: look at the Redis dashboard.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastRedisDown',
          queries: [{ expr: orZero(`count(${q.select('holdfast.backplane.up')} == 0)`), legend: 'degraded' }],
          thresholds: [{ color: 'green' }, { color: 'yellow', value: 1 }],
          width: 4,
          height: 4,
        },
        {
          title: 'Nodes without Postgres',
          description: 'Nodes through which nothing can be published. Normal is 0: look at the Postgres dashboard.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastPostgresDown',
          queries: [{ expr: orZero(`count(${q.select('holdfast.history.up')} == 0)`), legend: 'without Postgres' }],
          thresholds: [{ color: 'green' }, { color: 'red', value: 1 }],
          width: 4,
          height: 4,
        },
      ],
    },
    {
      title: 'Golden signals',
      panels: [
        {
          title: 'Bad events by SLO',
          description:
            'Share of events in the last 5 minutes that missed an SLO. Normal is 0. If one rises, look at the SLO dashboard.',
          unit: 'percentunit',
          alert: 'HoldfastConnectBudgetBurn',
          queries: [{ expr: badRatio('5m'), legend: '{{slo}}' }],
          min: 0,
        },
        {
          title: 'Publish latency',
          description:
            'Time from a valid publish to its acknowledgement, commit included. If the p99 is above 250 ms, look at the Postgres dashboard.',
          unit: 's',
          alert: 'HoldfastCommitsSlow',
          idle: 'no message was published in this time',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.publish.duration.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.publish.duration.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Delivery lag',
          description:
            'Time from the commit to the socket write. The SLO allows 250 ms. If it is higher, look at the delivery dashboard.',
          unit: 's',
          alert: 'HoldfastDeliverBudgetBurn',
          idle: 'no message was delivered in this time',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.delivery.lag.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.delivery.lag.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Errors by code',
          description:
            'Errors per second sent to clients. `internal` and `unavailable` are faults of the service, `overloaded` a lack of capacity. The others come from clients or from a drain.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastInternalErrors',
          queries: [{ expr: q.rate('holdfast.errors', { by: ['code'] }), legend: '{{code}}' }],
          min: 0,
        },
        {
          title: 'Highest utilization of a node',
          description:
            'Event loop, memory and connections, each of the node with the highest value. Above 85 % that node becomes slow or refuses clients: look at the nodes dashboard.',
          unit: 'percentunit',
          alert: 'HoldfastEventLoopSaturated',
          queries: [
            { expr: q.gauge('holdfast.event.loop.utilization.ratio', 'max'), legend: 'event loop' },
            {
              expr: `max(${q.select('holdfast.memory.bytes', { where: { kind: ['resident', 'heap'] } })} / ${q.select('holdfast.memory.limit.bytes')})`,
              legend: 'memory',
            },
            {
              expr: `max(${q.select('holdfast.connections')} / ${q.select('holdfast.connections.limit')})`,
              legend: 'connections',
            },
          ],
          min: 0,
          max: 1,
        },
        {
          title: 'Successful probe rounds',
          description:
            'Share of probe rounds that succeed, by zone. Normal is 100 %. If it falls, look at failures by phase on the probes dashboard.',
          unit: 'percentunit',
          alert: 'HoldfastProbeFailing',
          idle: 'no probe is deployed',
          queries: [
            {
              expr: share(
                all.rate('holdfast.probe.rounds', { where: { result: 'ok' }, by: ['zone'] }),
                all.rate('holdfast.probe.rounds', { by: ['zone'] }),
              ),
              legend: 'zone {{zone}}',
            },
          ],
          min: 0,
          max: 1,
        },
      ],
    },
    {
      title: 'Alerts',
      panels: [
        {
          title: 'Firing alerts',
          description: 'Alerts that fire now. Only Watchdog is normal. Open the runbook of any other alert.',
          unit: 'short',
          kind: 'table',
          alert: 'README',
          idle: 'Watchdog does not fire: Prometheus does not evaluate the rules',
          queries: [{ expr: 'ALERTS{alertstate="firing"}', legend: '{{alertname}}' }],
          width: 24,
          height: 6,
        },
      ],
    },
  ],
};
