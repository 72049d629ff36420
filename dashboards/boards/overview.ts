/** The first look: are people in, can they send, do they receive, and does somebody from outside agree. */
import type { Board } from '../lib/panel.ts';
import { orZero, queries, share } from '../lib/query.ts';
import { badRatio } from '../lib/slo.ts';
import { NODES, PROBES, SCOPE } from './scope.ts';

const q = queries(SCOPE);
const all = queries(PROBES);

export const OVERVIEW: Board = {
  name: 'overview',
  title: 'Holdfast: overview',
  description: 'Are people in, can they send, do they receive, and does somebody from outside agree?',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Nodes',
          description: 'Nodes that answer their scrapes. A deploy shows twice as many for a while.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastNodesAbsent',
          queries: [{ expr: NODES, legend: 'nodes' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Connections',
          description: 'Open WebSockets on all nodes.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastConnectionsLost',
          queries: [{ expr: q.gauge('holdfast.connections', 'sum'), legend: 'connections' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Stored per second',
          description: 'Messages committed per second.',
          unit: 'ops',
          kind: 'value',
          alert: 'HoldfastPublishBudgetBurn',
          queries: [{ expr: q.rate('holdfast.publishes', { where: { result: 'stored' } }), legend: 'stored' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Delivered per second',
          description: 'Messages written to subscribers per second, by fan-out.',
          unit: 'ops',
          kind: 'value',
          alert: 'HoldfastDeliverBudgetBurn',
          queries: [{ expr: q.rate('holdfast.deliveries'), legend: 'delivered' }],
          width: 4,
          height: 4,
        },
        {
          title: 'Degraded nodes',
          description: 'Nodes without Redis. Their messages arrive later, and none is lost.',
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
          description: 'Nodes through which nothing can be published now.',
          unit: 'short',
          kind: 'value',
          alert: 'HoldfastPostgresDown',
          queries: [{ expr: orZero(`count(${q.select('holdfast.history.up')} == 0)`), legend: 'without' }],
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
          title: 'Broken promises',
          description:
            'Share of events of the last five minutes that broke a promise (see the SLO dashboard). Zero is the usual.',
          unit: 'percentunit',
          alert: 'HoldfastConnectBudgetBurn',
          queries: [{ expr: badRatio('5m'), legend: '{{slo}}' }],
          min: 0,
        },
        {
          title: 'Publish latency',
          description: 'From a valid publish to its acknowledgement, commit included.',
          unit: 's',
          alert: 'HoldfastCommitsSlow',
          idle: 'nothing was published',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.publish.duration.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.publish.duration.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Delivery lag',
          description: 'From the commit to the socket write. Above 250 ms it counts against the promise.',
          unit: 's',
          alert: 'HoldfastDeliverBudgetBurn',
          idle: 'nothing was delivered',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.delivery.lag.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.delivery.lag.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Errors answered',
          description: 'Errors per second by code. `internal` and `unavailable` are ours, the rest the callers’.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastInternalErrors',
          queries: [{ expr: q.rate('holdfast.errors', { by: ['code'] }), legend: '{{code}}' }],
          min: 0,
        },
        {
          title: 'Fullest node',
          description: 'Busy share of the event loop, and taken share of memory and places, of the worst node each.',
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
              legend: 'places',
            },
          ],
          min: 0,
          max: 1,
        },
        {
          title: 'Probes',
          description: 'Share of the probes’ rounds that went well, by zone.',
          unit: 'percentunit',
          alert: 'HoldfastProbeFailing',
          idle: 'no probe runs here',
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
          description: 'What fires now. Only the watchdog: all is well.',
          unit: 'short',
          kind: 'table',
          alert: 'README',
          idle: 'not even the watchdog fires: the rules are not evaluated',
          queries: [{ expr: 'ALERTS{alertstate="firing"}', legend: '{{alertname}}' }],
          width: 24,
          height: 6,
        },
      ],
    },
  ],
};
