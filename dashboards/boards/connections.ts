/** The connections dashboard: open connections, handshakes, authentications, closes. */
import type { Board } from '../lib/panel.ts';
import { orZero, queries, share } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const CONNECTIONS: Board = {
  name: 'connections',
  title: 'Holdfast: connections',
  description: 'Which clients connect, which are refused or closed, and why?',
  rows: [
    {
      title: 'Open connections',
      panels: [
        {
          title: 'Connections by node',
          description:
            'Open WebSocket connections. They stay on their node, so a new node starts empty. A sudden fall is a lost node or a network fault: compare with closes by code.',
          unit: 'short',
          kind: 'stack',
          alert: 'HoldfastConnectionsLost',
          queries: [{ expr: q.gauge('holdfast.connections', 'sum', { by: ['instance'] }), legend: '{{instance}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Subscriptions by node',
          description:
            'Subscriptions of all connections. They normally follow the number of connections. Fan-out work and memory grow with them.',
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
      title: 'Handshakes and authentication',
      panels: [
        {
          title: 'Handshakes by result',
          description:
            'WebSocket upgrade requests per second. Normal is `accepted`. `full`: at MAX_CONNECTIONS, add nodes. `paced`: above ACCEPT_RATE, clients retry. `draining`: clients retry on another node. `failed`: read the node log.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastConnectionsRefused',
          queries: [{ expr: q.rate('holdfast.handshakes', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Handshakes, now and 1 h ago',
          description:
            'Handshakes per second. Five times the value of an hour ago is a reconnect storm: look for node starts and at closes by code.',
          unit: 'ops',
          alert: 'HoldfastReconnectStorm',
          queries: [
            { expr: q.rate('holdfast.handshakes'), legend: 'now' },
            {
              expr: orZero('sum(rate(holdfast_handshakes_total{instance=~"$node"}[$__rate_interval] offset 1h))'),
              legend: '1 h ago',
            },
          ],
          min: 0,
        },
        {
          title: 'TCP connections dropped',
          description:
            'Connections per second that a node dropped without an answer, at MAX_CONNECTIONS plus MAX_HTTP_CONNECTIONS. Normal is 0. Clients see a connection reset: add nodes.',
          unit: 'ops',
          alert: 'HoldfastConnectionsRefused',
          queries: [{ expr: q.rate('holdfast.connections.dropped', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
        {
          title: 'Authentications by result',
          description:
            'Per second. Normal is `ok`. `rejected`: invalid token. `replayed`: ticket used twice. `late`: no token in time. `unavailable`: keys cannot be fetched. `unchecked`: ticket accepted without the single-use check across nodes, because Redis was unreachable.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAuthenticationRejected',
          queries: [{ expr: q.rate('holdfast.authentications', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Authentications by method',
          description:
            'Per second. A WebSocket client normally makes an `http` authentication to get a ticket, then one with the `ticket`. `query` is off by default, because URLs end up in access logs.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAuthenticationRejected',
          queries: [{ expr: q.rate('holdfast.authentications', { by: ['method'] }), legend: '{{method}}' }],
          min: 0,
        },
        {
          title: 'Rejected authentications',
          description:
            'Share of `rejected`, `replayed` and `late`. A few percent are expired tokens. Above 20 %, compare keys and clocks of the token issuer and the nodes.',
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
      title: 'Closes',
      panels: [
        {
          title: 'Closes by code',
          description:
            'Per second. 1000 and 1001: the client left. 1006: lost network. 1008: authentication failed. 1012: drain. 4000: slow consumer. 4003: missed heartbeat. Normal is mostly 1000, 1001 and 1006.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAbnormalCloses',
          queries: [{ expr: q.rate('holdfast.closes', { by: ['code'] }), legend: '{{code}}' }],
          min: 0,
        },
        {
          title: 'Connection lifetime',
          description:
            'Age of connections at their close. A step at a fixed value, such as 60 s, is an idle timeout of a proxy or load balancer.',
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
          description:
            'Valid commands per second. The mix is normally stable. A sudden rise of one type points to a client release or a misbehaving client.',
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
