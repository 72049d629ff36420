/** The history: can be published, how long it takes and where the time goes, what is read. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);
const NOTHING = 'nothing was published';

export const POSTGRES: Board = {
  name: 'postgres',
  title: 'Holdfast: Postgres',
  description: 'The history as the nodes see it: whether it takes messages, how long that takes, and what is read.',
  rows: [
    {
      title: 'Publishing',
      panels: [
        {
          title: 'Publishes by result',
          description:
            'Per second. `failed` is our fault and retryable, `refused` the caller’s, `duplicate` a retry that was stored before.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastPublishBudgetBurn',
          queries: [{ expr: q.rate('holdfast.publishes', { by: ['via', 'result'] }), legend: '{{via}} {{result}}' }],
          min: 0,
        },
        {
          title: 'Where the time goes',
          description:
            'p99 of each stage: `validate`, the wait in the `queue`, the `commit`, and the `publish` to Redis, which senders do not wait for.',
          unit: 's',
          alert: 'HoldfastCommitsSlow',
          idle: NOTHING,
          queries: [
            { expr: q.quantile(0.99, 'holdfast.publish.stage.seconds', { by: ['stage'] }), legend: '{{stage}}' },
          ],
          min: 0,
        },
        {
          title: 'Acknowledgement',
          description: 'p99 of the time until the acknowledgement, over WebSocket and HTTP.',
          unit: 's',
          alert: 'HoldfastCommitsSlow',
          idle: NOTHING,
          queries: [
            { expr: q.quantile(0.99, 'holdfast.publish.duration.seconds', { by: ['via'] }), legend: '{{via}}' },
          ],
          min: 0,
        },
        {
          title: 'Messages per commit',
          description: 'Grows with the load, which is how one Postgres takes so much.',
          unit: 'short',
          alert: 'HoldfastHistoryQueueFilling',
          idle: NOTHING,
          queries: [
            { expr: q.mean('holdfast.history.batch.messages'), legend: 'mean' },
            { expr: q.quantile(0.99, 'holdfast.history.batch.messages'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Queue for commits',
          description: 'Messages that wait, and how many may.',
          unit: 'short',
          alert: 'HoldfastHistoryQueueFilling',
          queries: [
            { expr: q.gauge('holdfast.history.queue', 'max', { by: ['instance'] }), legend: '{{instance}}' },
            { expr: q.gauge('holdfast.history.queue.limit', 'min'), legend: 'limit of a node' },
          ],
          min: 0,
        },
        {
          title: 'Nodes with Postgres',
          description: 'Nodes that can store, of all nodes.',
          unit: 'short',
          alert: 'HoldfastPostgresDown',
          queries: [
            { expr: q.gauge('holdfast.history.up', 'sum'), legend: 'with Postgres' },
            { expr: q.gauge('holdfast.history.up', 'count'), legend: 'all' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Statements and connections',
      panels: [
        {
          title: 'Statements by kind',
          description:
            '`append` are commits, `page` reads for those who catch up, `tops` and `recent` the checks for what nobody announced.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastReconnectStorm',
          queries: [{ expr: q.rate('holdfast.history.statements', { by: ['kind'] }), legend: '{{kind}}' }],
          min: 0,
        },
        {
          title: 'Failed statements by kind',
          description: 'Per second; the nodes’ log has the reasons.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: q.rate('holdfast.history.errors', { by: ['kind'] }), legend: '{{kind}}' }],
          min: 0,
        },
        {
          title: 'Connections of the pools',
          description: 'Busy, idle, and requests that wait for one, over all nodes; and how many there may be.',
          unit: 'short',
          alert: 'HoldfastPoolExhausted',
          queries: [
            { expr: q.gauge('holdfast.history.connections', 'sum', { by: ['state'] }), legend: '{{state}}' },
            { expr: q.gauge('holdfast.history.connections.limit', 'sum'), legend: 'limit' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'The data',
      panels: [
        {
          title: 'Size of the history',
          description: 'The whole database, as of the last maintenance.',
          unit: 'bytes',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: q.gauge('holdfast.history.size.bytes', 'max'), legend: 'size' }],
          min: 0,
        },
        {
          title: 'Partitions dropped',
          description: 'By retention, in the last day. None where all is kept.',
          unit: 'short',
          alert: 'HoldfastMaintenanceFailing',
          queries: [
            { expr: 'sum(increase(holdfast_history_partitions_dropped_total[1d]))', legend: 'dropped in a day' },
          ],
          min: 0,
        },
        {
          title: 'Times the history went back',
          description:
            'Acknowledged messages were missing: a restore, or a failover that lost commits. In the last day.',
          unit: 'short',
          alert: 'HoldfastHistoryRegressed',
          queries: [{ expr: 'sum(increase(holdfast_history_regressions_total[1d]))', legend: 'in a day' }],
          min: 0,
        },
      ],
    },
  ],
};
