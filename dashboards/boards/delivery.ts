/** From the commit to the socket: lag, fan-out, gaps, catch-up, those who cannot keep up. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);
const NOTHING_DELIVERED = 'nothing was delivered';

export const DELIVERY: Board = {
  name: 'delivery',
  title: 'Holdfast: delivery',
  description: 'From the commit to the socket: how late, how much, and who cannot keep up.',
  rows: [
    {
      title: 'Fan-out',
      panels: [
        {
          title: 'Delivery lag by node',
          description: 'p99 of the time from the commit to the socket write. One node alone: look at that node.',
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
          description: 'Messages written to live subscriptions per second.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastEventLoopSaturated',
          queries: [{ expr: q.rate('holdfast.deliveries', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
        {
          title: 'Duration of a flush',
          description: 'One fan-out over all channels; the event loop does nothing else meanwhile.',
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
          title: 'Recipients of a flush',
          description:
            'Live subscriptions that one channel’s flush is written to: few large channels, or many small ones.',
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
          title: 'Clocks that disagree',
          description:
            'Flushes per second that were written before, by the node’s clock, they were committed. Lags are wrong then.',
          unit: 'ops',
          alert: 'HoldfastClockSkew',
          queries: [{ expr: q.rate('holdfast.clock.disagreements', { by: ['instance'] }), legend: '{{instance}}' }],
          min: 0,
        },
        {
          title: 'Ephemeral events dropped',
          description: 'Typing and presence per second that were not written to connections that are behind.',
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
            'Holes read from the history, per second. `poll` with Redis up: announcements get lost. `hold`: nodes published out of order, which is usual.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAnnouncementsLost',
          queries: [{ expr: q.rate('holdfast.gaps', { by: ['cause'] }), legend: '{{cause}}' }],
          min: 0,
        },
        {
          title: 'Behind',
          description: 'Tails that wait for messages they know of, and subscriptions that are catching up.',
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
          description: 'Subscriptions that began to catch up, per second. Each new one does, briefly.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastReconnectStorm',
          queries: [{ expr: q.rate('holdfast.catchups', { by: ['cause'] }), legend: '{{cause}}' }],
          min: 0,
        },
        {
          title: 'Recoveries by result',
          description:
            'Clients that came back with a position, per second. All but `recovered` have missed something for good, and know it.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastRecoveriesIncomplete',
          queries: [{ expr: q.rate('holdfast.recoveries', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Replayed messages by source',
          description:
            'Per second. From the window they cost nothing, from the history a read, shared by all who need it.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastReconnectStorm',
          queries: [{ expr: q.rate('holdfast.replayed', { by: ['source'] }), legend: '{{source}}' }],
          min: 0,
        },
        {
          title: 'Channels followed',
          description: 'Tails by node.',
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
            'Connections per second that passed the high-water mark (`paused`), and those closed for staying there.',
          unit: 'ops',
          alert: 'HoldfastSlowConsumersClosed',
          queries: [{ expr: q.rate('holdfast.slow.consumers', { by: ['result'] }), legend: '{{result}}' }],
          width: 12,
          min: 0,
        },
        {
          title: 'Unsent bytes',
          description:
            'What the network has not taken yet: of all connections, and of the worst. Bounded per connection.',
          unit: 'bytes',
          alert: 'HoldfastSlowConsumersClosed',
          queries: [
            { expr: q.gauge('holdfast.unsent.bytes', 'sum', { where: { of: 'all' } }), legend: 'all' },
            { expr: q.gauge('holdfast.unsent.bytes', 'max', { where: { of: 'worst' } }), legend: 'worst connection' },
          ],
          width: 12,
          min: 0,
        },
      ],
    },
  ],
};
