/** The delivery dashboard, from the commit to the socket: lag, fan-out, gaps, catch-up, slow consumers. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);
const NOTHING_DELIVERED = 'no message was delivered in this time';

export const DELIVERY: Board = {
  name: 'delivery',
  title: 'Holdfast: delivery',
  description: 'How long do messages take from the commit to the socket, and which clients cannot keep up?',
  rows: [
    {
      title: 'Fan-out',
      panels: [
        {
          title: 'Delivery lag by node, p99',
          description:
            'Time from the commit to the socket write. Normal is below 15 ms on a quiet system; the SLO allows 250 ms. If one node is slow, look at its event loop; if all are, look at Redis.',
          unit: 's',
          alert: 'HoldfastDeliverBudgetBurn',
          idle: NOTHING_DELIVERED,
          queries: [
            { expr: q.quantile(0.99, 'holdfast.delivery.lag.seconds', { by: ['instance'] }), legend: '{{instance}}' },
          ],
          min: 0,
        },
        {
          title: 'Deliveries by node',
          description:
            'Messages per second written to live subscriptions. This is most of the work of a node. Nodes differ with the channels of their clients.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastEventLoopSaturated',
          queries: [{ expr: q.rate('holdfast.deliveries', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
        {
          title: 'Flush duration',
          description:
            'Time that one fan-out flush over all channels takes. The event loop does nothing else meanwhile. If it rises, look at flush recipients: very large channels take long.',
          unit: 's',
          alert: 'HoldfastEventLoopBlocked',
          idle: NOTHING_DELIVERED,
          queries: [
            { expr: q.quantile(0.5, 'holdfast.fanout.duration.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.fanout.duration.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Flush recipients',
          description:
            'Live subscriptions that one flush of one channel is written to. It shows whether the load comes from few large channels or many small ones.',
          unit: 'short',
          alert: 'HoldfastEventLoopBlocked',
          idle: NOTHING_DELIVERED,
          queries: [
            { expr: q.quantile(0.5, 'holdfast.fanout.recipients'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.fanout.recipients'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Clock disagreements',
          description:
            'Flushes per second that ended over 20 ms before their commit, by the clocks of the node and of Postgres. Normal is 0. Otherwise delivery lag is wrong: check NTP.',
          unit: 'ops',
          alert: 'HoldfastClockSkew',
          queries: [{ expr: q.rate('holdfast.clock.disagreements', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
        {
          title: 'Ephemeral events dropped',
          description:
            'Typing and presence events per second that were not written to connections that are behind. Some are normal; a rise is an early sign of slow consumers.',
          unit: 'ops',
          alert: 'HoldfastSlowConsumersClosed',
          queries: [{ expr: q.rate('holdfast.events.dropped', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'Tails and catch-up',
      panels: [
        {
          title: 'Gaps by cause',
          description:
            'Gaps in tails that were read from the history, per second. `hold`: a later message arrived or was read first, normal. `poll`: Redis did not carry a batch, rare while Redis is up. `reload`: the tail was stale.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAnnouncementsLost',
          queries: [{ expr: q.rate('holdfast.gaps', { by: ['cause'] }), legend: '{{cause}}' }],
          min: 0,
        },
        {
          title: 'Tails and subscriptions behind',
          description:
            'Tails that miss messages they know of, and subscriptions that catch up. Normal is near 0 with short peaks. If they stay up, Postgres reads are slow or clients cannot keep up.',
          unit: 'short',
          alert: 'HoldfastCommitsSlow',
          queries: [
            { expr: q.gauge('holdfast.tails.behind', 'sum'), legend: 'tails' },
            { expr: q.gauge('holdfast.subscriptions.behind', 'sum'), legend: 'subscriptions' },
          ],
          min: 0,
        },
        {
          title: 'Catch-ups by cause',
          description:
            'Catch-ups started per second. Each new subscription makes a short one. `slow`: the client reads too slowly. `lost`: history is gone.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastReconnectStorm',
          queries: [{ expr: q.rate('holdfast.catchups', { by: ['cause'] }), legend: '{{cause}}' }],
          min: 0,
        },
        {
          title: 'Recoveries by result',
          description:
            'Subscribes with a position, per second. Normal is `recovered`. With any other result the client was notified that messages are missing and must reload the channel.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastRecoveriesIncomplete',
          queries: [{ expr: q.rate('holdfast.recoveries', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Replayed messages by source',
          description:
            'Messages per second delivered by catch-up. `window`: from memory. `history`: read from Postgres, one read for all subscriptions that need the page. A rise follows reconnects.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastReconnectStorm',
          queries: [{ expr: q.rate('holdfast.replayed', { by: ['source'] }), legend: '{{source}}' }],
          min: 0,
        },
        {
          title: 'Tails by node',
          description:
            'Channels with subscribers on the node, one tail each. Memory and the cost of the history poll grow with them.',
          unit: 'short',
          kind: 'stack',
          alert: 'HoldfastMemoryHigh',
          queries: [{ expr: q.gauge('holdfast.tails', 'sum', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
      ],
    },
    {
      title: 'Slow consumers',
      panels: [
        {
          title: 'Slow consumers',
          description:
            'Connections per second over SEND_HIGH_WATER_BYTES (`paused`), and closed after SLOW_CONSUMER_MAX_MS (`closed`). A few are slow networks. Many at once: look at deliveries by node.',
          unit: 'ops',
          alert: 'HoldfastSlowConsumersClosed',
          queries: [{ expr: q.rate('holdfast.slow.consumers', { by: ['result'] }), legend: '{{result}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Unsent bytes',
          description:
            'Bytes that the network has not taken yet, of all connections and of the largest one. The amount per connection is bounded. A steady rise uses memory: look for slow consumers.',
          unit: 'bytes',
          alert: 'HoldfastSlowConsumersClosed',
          queries: [
            { expr: q.gauge('holdfast.unsent.bytes', 'sum', { where: { of: 'all' } }), legend: 'all' },
            { expr: q.gauge('holdfast.unsent.bytes', 'max', { where: { of: 'worst' } }), legend: 'largest connection' },
          ],
          width: 12,
          min: 0,
        },
      ],
    },
  ],
};
