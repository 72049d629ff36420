/** The Postgres dashboard, as measured by the nodes: publishing, statements, connections, storage. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);
const NOTHING = 'no message was published in this time';

export const POSTGRES: Board = {
  name: 'postgres',
  title: 'Holdfast: Postgres',
  description: 'Does Postgres store messages, how long does a publish take, and what is read?',
  rows: [
    {
      title: 'Publishing',
      panels: [
        {
          title: 'Publishes by result',
          description:
            'Per second. Normal is `stored`. `duplicate`: a retry of a stored message. `refused`: a fault of the client, such as its rate. `failed`: a fault of the service; clients can retry.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastPublishBudgetBurn',
          queries: [{ expr: q.rate('holdfast.publishes', { by: ['via', 'result'] }), legend: '{{via}} {{result}}' }],
          min: 0,
        },
        {
          title: 'Publish stages, p99',
          description:
            'Time in each stage: `validate`, wait in the `queue`, `commit`, and the `publish` to Redis, which senders do not wait for. `commit` is normally 2 to 10 ms on gp3. A long `queue` with short commits is too much load.',
          unit: 's',
          alert: 'HoldfastCommitsSlow',
          idle: NOTHING,
          queries: [
            { expr: q.quantile(0.99, 'holdfast.publish.stage.seconds', { by: ['stage'] }), legend: '{{stage}}' },
          ],
          min: 0,
        },
        {
          title: 'Publish latency, p99',
          description:
            'Time from a valid publish to its acknowledgement, over WebSocket and HTTP. Above 250 ms look at the publish stages.',
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
          description:
            'Batch size. It grows with load, which is how one Postgres takes more. At HISTORY_BATCH_MAX it cannot grow further and the commit queue fills.',
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
          title: 'Commit queue',
          description:
            'Messages that wait for their commit in the fullest lane of each node, and the limit of a lane. Normal is near 0. At the limit publishes fail with `overloaded`: look at the publish stages.',
          unit: 'short',
          alert: 'HoldfastHistoryQueueFilling',
          queries: [
            { expr: q.gauge('holdfast.history.queue', 'max', { by: ['instance'] }), legend: '{{instance}}' },
            { expr: q.gauge('holdfast.history.queue.limit', 'min'), legend: 'limit of a lane' },
          ],
          min: 0,
        },
        {
          title: 'Nodes with Postgres',
          description:
            'Nodes whose Postgres accepts writes, of all nodes. The lines are normally equal. Otherwise publishes fail on some nodes.',
          unit: 'short',
          alert: 'HoldfastPostgresDown',
          queries: [
            { expr: q.gauge('holdfast.history.up', 'sum'), legend: 'with Postgres' },
            { expr: q.gauge('holdfast.history.up', 'count'), legend: 'all nodes' },
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
            'Per second. `append`: commits. `page`: reads of catch-up. `tops`: exact tops. `recent`: the history poll. `epoch`: epoch changes. A rise of `page` follows reconnects.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastReconnectStorm',
          queries: [{ expr: q.rate('holdfast.history.statements', { by: ['kind'] }), legend: '{{kind}}' }],
          min: 0,
        },
        {
          title: 'Failed statements by kind',
          description:
            'Per second. Normal is 0. The node log has the reason of each. `maintenance` must not fail for days: new partitions would be missing.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: q.rate('holdfast.history.errors', { by: ['kind'] }), legend: '{{kind}}' }],
          min: 0,
        },
        {
          title: 'Postgres connections',
          description:
            'Busy and idle connections, requests that wait for one, and the limit, over all nodes. `waiting` is normally 0. Otherwise look for slow statements.',
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
      title: 'Storage',
      panels: [
        {
          title: 'Database size',
          description:
            'Size of the whole database at the last maintenance (every 10 minutes by default). It normally levels off when retention drops partitions.',
          unit: 'bytes',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: q.gauge('holdfast.history.size.bytes', 'max'), legend: 'size' }],
          min: 0,
        },
        {
          title: 'Partitions dropped per day',
          description:
            'Daily partitions that retention dropped in the last day. 0 is normal where everything is kept (HISTORY_RETENTION_DAYS is 0).',
          unit: 'short',
          alert: 'HoldfastMaintenanceFailing',
          queries: [{ expr: 'sum(increase(holdfast_history_partitions_dropped_total[1d]))', legend: 'dropped' }],
          min: 0,
        },
        {
          title: 'History regressions per day',
          description:
            'Times in the last day that nodes saw committed messages missing. Normal is 0. The cause is a restore, or a failover that lost commits.',
          unit: 'short',
          alert: 'HoldfastHistoryRegressed',
          queries: [{ expr: 'sum(increase(holdfast_history_regressions_total[1d]))', legend: 'regressions' }],
          min: 0,
        },
      ],
    },
  ],
};
