/** Who gets in, who stays, and whether there is room. */
import { lately, queries, share } from '../lib/query.ts';
import type { RuleGroup } from '../lib/rule.ts';

const q = queries({ range: '5m' });
const storm = queries({ range: '2m' });
const connections = q.gauge('holdfast.connections', 'sum');
const limit = q.gauge('holdfast.connections.limit', 'sum');
const present = `sum(${lately(q.select('holdfast.connections'))})`;
const before = `sum(${lately(q.select('holdfast.connections'), { offset: '10m' })})`;

/** Connections of all nodes. */
export const CONNECTIONS_SUM = 'holdfast:connections:sum';

export const CONNECTION_RULES: RuleGroup = {
  name: 'connections',
  // A series of its own, as those of the nodes end and begin with every deploy: no line can be drawn on from them.
  recordings: [{ record: CONNECTIONS_SUM, expr: present }],
  alerts: [
    {
      alert: 'HoldfastConnectionsLost',
      expr: `${present} < 0.7 * ${before} and ${before} > 100`,
      for: '2m',
      severity: 'page',
      summary: 'Three in ten connections are gone',
      description:
        'Now {{ $value }} connections, at least 30 % fewer than ten minutes ago. Nodes that died, a load balancer or a network between us and the clients.',
      threshold:
        'People leave slowly: no day’s curve falls by 30 % in ten minutes. Below 100 connections single clients would count too much. Two minutes: a node that went counts twice for one, while its clients are elsewhere already.',
      board: 'connections',
    },
    {
      alert: 'HoldfastReconnectStorm',
      expr: `${storm.rate('holdfast.handshakes')} > 20 and ${storm.rate('holdfast.handshakes')} > 5 * sum(rate(holdfast_handshakes_total[2m] offset 1h)) unless on () max(max_over_time(${q.select('holdfast.draining')}[5m])) == 1`,
      for: '1m',
      severity: 'ticket',
      summary: 'Five times as many clients connect as an hour ago',
      description:
        '{{ $value | humanize }} handshakes a second. Something made clients reconnect: nodes that died, a network, a release of the client. Nodes let them in at ACCEPT_RATE each.',
      threshold:
        'Five times is more than a day’s curve does in an hour; below 20 a second no node notices. While nodes drain, clients move on purpose, at the pace that DRAIN_RATE sets.',
      board: 'connections',
    },
    {
      alert: 'HoldfastConnectionsRefused',
      expr: `${q.rate('holdfast.handshakes', { where: { result: ['full', 'failed'] } })} + ${q.rate('holdfast.connections.dropped')} > 0.05`,
      for: '3m',
      severity: 'ticket',
      summary: 'Nodes refuse connections: they are full, or fail',
      description:
        '{{ $value | humanize }} connections a second are refused. `full`: every place is taken, see the capacity dashboard. `failed`: a fault, see the log.',
      threshold:
        'One client that tries every half minute is 0.03 a second. With room anywhere, the load balancer and the clients’ retries find it.',
      board: 'capacity',
    },
    {
      alert: 'HoldfastAuthenticationRejected',
      expr: `${share(
        q.rate('holdfast.authentications', { where: { result: ['rejected', 'replayed', 'late'] } }),
        q.rate('holdfast.authentications'),
      )} > 0.2 and ${q.rate('holdfast.authentications')} > 0.2`,
      for: '10m',
      severity: 'ticket',
      summary: 'Over a fifth of all authentications are rejected',
      description:
        '{{ $value | humanizePercentage }} of all authentications are rejected: a key that was rotated on one side only, a clock that is wrong, or somebody trying.',
      threshold: 'Expired tokens make a few per cent. At 0.2 a second there are enough to tell a share.',
      board: 'connections',
    },
    {
      alert: 'HoldfastAbnormalCloses',
      expr: `${share(q.rate('holdfast.closes', { where: { code: ['1006', '4003'] } }), q.rate('holdfast.closes'))} > 0.5 and ${q.rate('holdfast.closes')} > 1`,
      for: '10m',
      severity: 'ticket',
      summary: 'Over half of all connections end without a goodbye',
      description:
        '{{ $value | humanizePercentage }} of all connections ended by a lost network (1006) or a missing heartbeat (4003): a proxy or a load balancer cuts them, or a network is broken.',
      threshold:
        'Phones and laptops lose networks all day, about a third of all closes; half is more than that. Each probe loses one connection a round on purpose.',
      board: 'connections',
    },
    {
      alert: 'HoldfastInternalErrors',
      expr: `${q.rate('holdfast.errors', { where: { code: 'internal' } })} > 0.02`,
      for: '5m',
      severity: 'ticket',
      summary: 'Requests fail for reasons that the server does not know',
      description:
        '{{ $value | humanize }} requests a second are answered with `internal`. The nodes’ log has each of them: usually Postgres refused a statement (a permission, a schema that was changed by hand).',
      threshold: 'There should be none. More than one a minute is no single accident.',
      board: 'overview',
    },
    {
      alert: 'HoldfastHeadroomLow',
      expr: `${share(connections, limit)} > 2 / 3`,
      for: '10m',
      severity: 'ticket',
      summary: 'The loss of a zone would not fit',
      description:
        '{{ $value | humanizePercentage }} of all places are taken. With three zones, losing one leaves two thirds of them. Autoscaling should have added nodes: is it at its maximum, or blind?',
      threshold: 'Two thirds: what three zones have left when one is gone. Autoscaling aims at half.',
      board: 'capacity',
    },
    {
      alert: 'HoldfastSlowConsumersClosed',
      expr: `${q.increase('holdfast.slow.consumers', { where: { result: 'closed' } })} > 0.01 * ${connections} and ${q.increase('holdfast.slow.consumers', { where: { result: 'closed' } })} > 5`,
      for: '5m',
      severity: 'ticket',
      summary: 'Many clients cannot keep up and are closed',
      description:
        '{{ $value | humanize }} connections were closed in five minutes for staying too far behind. They recover when they come back, and lose nothing. A channel that carries more than its clients can read, or a network.',
      threshold: 'One in a hundred within five minutes: single bad networks are fewer.',
      board: 'delivery',
    },
  ],
};
