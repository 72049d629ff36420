/** Who gets in, who leaves, and why. */
import type { Board } from '../lib/panel.ts';
import { orZero, queries, share } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const CONNECTIONS: Board = {
  name: 'connections',
  title: 'Holdfast: connections',
  description: 'Who gets in, who leaves, and why.',
  rows: [
    {
      title: 'Who is there',
      panels: [
        {
          title: 'Connections by node',
          description: 'Open WebSockets. They stay where they are: a new node starts empty.',
          unit: 'short',
          kind: 'stack',
          alert: 'HoldfastConnectionsLost',
          queries: [{ expr: q.gauge('holdfast.connections', 'sum', { by: ['instance'] }), legend: '{{instance}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Subscriptions by node',
          description: 'Channels that connections follow, counted once for each connection.',
          unit: 'short',
          kind: 'stack',
          alert: 'HoldfastHeadroomLow',
          queries: [{ expr: q.gauge('holdfast.subscriptions', 'sum', { by: ['instance'] }), legend: '{{instance}}' }],
          width: 12,
          min: 0,
        },
      ],
    },
    {
      title: 'The way in',
      panels: [
        {
          title: 'Handshakes by result',
          description:
            'Upgrade requests per second. `full` and `failed` are turned away, `paced` are told when to come again, `draining` go to another node.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastConnectionsRefused',
          queries: [{ expr: q.rate('holdfast.handshakes', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Now against an hour ago',
          description: 'Handshakes per second. Five times as many as an hour ago is a storm.',
          unit: 'ops',
          alert: 'HoldfastReconnectStorm',
          queries: [
            { expr: q.rate('holdfast.handshakes'), legend: 'now' },
            {
              expr: orZero('sum(rate(holdfast_handshakes_total{instance=~"$node"}[$__rate_interval] offset 1h))'),
              legend: 'an hour ago',
            },
          ],
          min: 0,
        },
        {
          title: 'TCP connections dropped',
          description: 'Closed as they came, because a node had no place even to answer. Clients see a reset.',
          unit: 'ops',
          alert: 'HoldfastConnectionsRefused',
          queries: [{ expr: q.rate('holdfast.connections.dropped', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
        {
          title: 'Authentications by result',
          description:
            'Per second. `replayed` tickets were used before, `late` ones came too late, `unchecked` ones could not be checked for replay because Redis was away.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAuthenticationRejected',
          queries: [{ expr: q.rate('holdfast.authentications', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Authentications by method',
          description: 'Per second. `query` is off by default, because URLs end up in logs.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAuthenticationRejected',
          queries: [{ expr: q.rate('holdfast.authentications', { by: ['method'] }), legend: '{{method}}' }],
          min: 0,
        },
        {
          title: 'Rejected share',
          description:
            'Share of authentications that were rejected. Above a fifth: a key, a clock, or somebody trying.',
          unit: 'percentunit',
          alert: 'HoldfastAuthenticationRejected',
          queries: [
            {
              expr: share(
                q.rate('holdfast.authentications', { where: { result: ['rejected', 'replayed', 'late'] } }),
                q.rate('holdfast.authentications'),
              ),
              legend: 'rejected',
            },
          ],
          min: 0,
          max: 1,
        },
      ],
    },
    {
      title: 'The way out',
      panels: [
        {
          title: 'Closes by code',
          description:
            'Per second. 1001 leave by themselves, 1006 a lost network, 1008 failed authentication, 1012 a drain, 4000 too slow, 4003 no heartbeat.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAbnormalCloses',
          queries: [{ expr: q.rate('holdfast.closes', { by: ['code'] }), legend: '{{code}}' }],
          min: 0,
        },
        {
          title: 'Lifetime of connections',
          description: 'Of those that ended. A sharp step, such as 60 s, is a proxy that cuts them.',
          unit: 's',
          alert: 'HoldfastAbnormalCloses',
          idle: 'no connection ended',
          queries: [
            { expr: q.quantile(0.1, 'holdfast.connection.lifetime.seconds'), legend: 'p10' },
            { expr: q.quantile(0.5, 'holdfast.connection.lifetime.seconds'), legend: 'p50' },
            { expr: q.quantile(0.9, 'holdfast.connection.lifetime.seconds'), legend: 'p90' },
          ],
          min: 0,
        },
        {
          title: 'Commands by type',
          description: 'Valid commands per second. One kind in a flood names the client that sends it.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastInternalErrors',
          queries: [{ expr: q.rate('holdfast.commands', { by: ['type'] }), legend: '{{type}}' }],
          min: 0,
        },
      ],
    },
  ],
};
