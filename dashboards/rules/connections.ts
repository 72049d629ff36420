/** Alerts on connections: losses, refusals, authentication, closes, free capacity, slow consumers. */
import { lately, queries, share } from '../lib/query.ts';
import type { RuleGroup } from '../lib/rule.ts';

const q = queries({ range: '5m' });
const storm = queries({ range: '2m' });
const connections = q.gauge('holdfast.connections', 'sum');
const limit = q.gauge('holdfast.connections.limit', 'sum');
const present = `sum(${lately(q.select('holdfast.connections'))})`;
const before = `sum(${lately(q.select('holdfast.connections'), { offset: '10m' })})`;

/** Recorded series: open connections of all nodes together. */
export const CONNECTIONS_SUM = 'holdfast:connections:sum';

export const CONNECTION_RULES: RuleGroup = {
  name: 'connections',
  // predict_linear needs one unbroken series; those of single nodes end and begin with every deployment.
  recordings: [{ record: CONNECTIONS_SUM, expr: present }],
  alerts: [
    {
      alert: 'HoldfastConnectionsLost',
      expr: `${present} < 0.7 * ${before} and ${before} > 100`,
      for: '2m',
      severity: 'page',
      summary: 'Users are disconnected: connections fell by 30 % or more in 10 minutes',
      description:
        '{{ $value }} connections are open now, at least 30 % fewer than 10 minutes ago. Most likely nodes died, or a load balancer or network cut connections. First compare connections by node and close codes on the dashboard.',
      threshold:
        'Users leave gradually: a normal daily curve does not fall by 30 % in 10 minutes. Below 100 connections a few clients would trigger the alert. Two minutes: a dead node still counts for 1 minute, while its clients are already counted on other nodes. The comparison 10 minutes later must outlast this peak.',
      board: 'connections',
    },
    {
      alert: 'HoldfastReconnectStorm',
      expr: `${storm.rate('holdfast.handshakes')} > 20 and ${storm.rate('holdfast.handshakes')} > 5 * sum(rate(holdfast_handshakes_total[2m] offset 1h)) unless on () max(max_over_time(${q.select('holdfast.draining')}[5m])) == 1`,
      for: '1m',
      severity: 'ticket',
      summary: 'Many users reconnect: 5 times the handshakes of an hour ago',
      description:
        '{{ $value | humanize }} WebSocket handshakes per second; each node admits ACCEPT_RATE per second. Most likely nodes died, a network or load balancer cut connections, or a client release reconnects in a loop. First look for node starts and at the close codes on the dashboard.',
      threshold:
        'A normal daily curve does not grow fivefold within an hour. Below 20 handshakes per second the load on nodes is negligible. Clients of a draining node reconnect on purpose, paced by DRAIN_RATE, so a drain within the last 5 minutes suppresses the alert.',
      board: 'connections',
    },
    {
      alert: 'HoldfastConnectionsRefused',
      expr: `${q.rate('holdfast.handshakes', { where: { result: ['full', 'failed'] } })} + ${q.rate('holdfast.connections.dropped')} > 0.05`,
      for: '3m',
      severity: 'ticket',
      summary: 'Some users cannot connect: nodes are full or handshakes fail',
      description:
        '{{ $value | humanize }} connections per second are refused (`full`, `failed`) or dropped at TCP level. Most likely every node is at MAX_CONNECTIONS: compare connections with the limit on the dashboard, then add nodes. If the result is `failed`, read the node log.',
      threshold:
        'A single client that retries every 30 s makes 0.03 attempts per second. While any node has free capacity, retries through the load balancer reach it within 3 minutes.',
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
      summary: 'Some users cannot connect: over 20 % of authentications are rejected',
      description:
        '{{ $value | humanizePercentage }} of authentications in the last 5 minutes were rejected, replayed or late. Most likely a signing key was rotated on one side only, a clock is wrong, or an attacker tries tokens. First compare keys and clocks of the token issuer and the nodes.',
      threshold:
        'Expired tokens normally cause a few percent. Below 0.2 authentications per second the share says nothing.',
      board: 'connections',
    },
    {
      alert: 'HoldfastAbnormalCloses',
      expr: `${share(q.rate('holdfast.closes', { where: { code: ['1006', '4003'] } }), q.rate('holdfast.closes'))} > 0.5 and ${q.rate('holdfast.closes')} > 1`,
      for: '10m',
      severity: 'ticket',
      summary: 'Users lose connections: over half of all closes are network failures',
      description:
        '{{ $value | humanizePercentage }} of closes in the last 5 minutes had no close frame (1006) or a missed heartbeat (4003). Most likely a proxy or load balancer cuts connections, or a network fails. First look at connection lifetimes: a step at a fixed value, such as 60 s, is an idle timeout.',
      threshold:
        'Phones and laptops lose their network often: about a third of all closes is normal, and each probe drops one connection per round on purpose. Below 1 close per second the share says nothing.',
      board: 'connections',
    },
    {
      alert: 'HoldfastInternalErrors',
      expr: `${q.rate('holdfast.errors', { where: { code: 'internal' } })} > 0.02`,
      for: '5m',
      severity: 'ticket',
      summary: 'Some requests fail with an internal error',
      description:
        '{{ $value | humanize }} requests per second are answered with the error code `internal`. Most likely Postgres rejects a statement: a permission is missing, or the schema was changed by hand. First read the node log: it has every such error with its cause.',
      threshold:
        'The normal rate is zero. 0.02 per second is more than one per minute, so it is not a single accident.',
      board: 'overview',
    },
    {
      alert: 'HoldfastHeadroomLow',
      expr: `${share(connections, limit)} > 2 / 3`,
      for: '10m',
      severity: 'ticket',
      summary: 'Nothing yet: after the loss of a zone not all users could connect',
      description:
        '{{ $value | humanizePercentage }} of the connections that all nodes accept are open. If one of three zones fails, the remaining nodes cannot take all clients. Most likely autoscaling is at its maximum, or its metric is missing. On AWS, first check the alarms NodesAtLimit and ScalingMetricMissing.',
      threshold:
        'With one of three zones lost, two thirds of the capacity remain. Autoscaling aims at half of MAX_CONNECTIONS.',
      board: 'capacity',
    },
    {
      alert: 'HoldfastSlowConsumersClosed',
      expr: `${q.increase('holdfast.slow.consumers', { where: { result: 'closed' } })} > 0.01 * ${connections} and ${q.increase('holdfast.slow.consumers', { where: { result: 'closed' } })} > 5`,
      for: '5m',
      severity: 'ticket',
      summary: 'Some users are disconnected because they read too slowly',
      description:
        '{{ $value | humanize }} connections were closed with code 4000 in 5 minutes. Their clients recover every message when they reconnect. Most likely a channel carries more than its clients can read, or a network is congested. First look at deliveries and unsent bytes on the dashboard.',
      threshold:
        'Single slow networks affect less than 1 % of connections in 5 minutes. More than 5 closes are required, so that one client in a small deployment does not trigger the alert.',
      board: 'delivery',
    },
  ],
};
