/** Redis as the nodes see it: whether it carries, how fast, how often it was away. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const REDIS: Board = {
  name: 'redis',
  title: 'Holdfast: Redis',
  description:
    'Redis as the nodes see it. It carries messages between nodes; without it they arrive later, and none is lost.',
  rows: [
    {
      title: 'Is it there',
      panels: [
        {
          title: 'Nodes with Redis',
          description: 'Nodes that hear what the others publish, of all nodes.',
          unit: 'short',
          alert: 'HoldfastRedisDown',
          queries: [
            { expr: q.gauge('holdfast.backplane.up', 'sum'), legend: 'with Redis' },
            { expr: q.gauge('holdfast.backplane.up', 'count'), legend: 'all' },
          ],
          min: 0,
        },
        {
          title: 'Age of the canary',
          description: 'Time since each node last heard itself through Redis. Rises while the subscription is deaf.',
          unit: 's',
          alert: 'HoldfastRedisDeaf',
          queries: [
            {
              expr: q.gauge('holdfast.backplane.canary.age.seconds', 'max', { by: ['instance'] }),
              legend: '{{instance}}',
            },
          ],
          min: 0,
        },
        {
          title: 'Deaf, and back again',
          description: 'Times per second that a connection was found deaf, and that the subscription came back.',
          unit: 'ops',
          alert: 'HoldfastRedisDeaf',
          queries: [
            { expr: q.rate('holdfast.backplane.deaf'), legend: 'deaf' },
            { expr: q.rate('holdfast.backplane.reconnects'), legend: 'back' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'How well does it carry',
      panels: [
        {
          title: 'From node to node',
          description:
            'A canary’s way from a node through Redis and back, event loop included. Independent of the load.',
          unit: 's',
          alert: 'HoldfastRedisSlow',
          idle: 'no Redis is configured, or it has never been there',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.backplane.canary.duration.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.backplane.canary.duration.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Answer to a publish',
          description: 'From handing a batch to Redis until it answered.',
          unit: 's',
          alert: 'HoldfastRedisSlow',
          idle: 'nothing was published',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.publish.stage.seconds', { where: { stage: 'publish' } }), legend: 'p50' },
            {
              expr: q.quantile(0.99, 'holdfast.publish.stage.seconds', { where: { stage: 'publish' } }),
              legend: 'p99',
            },
          ],
          min: 0,
        },
        {
          title: 'Batches handed to Redis',
          description: 'Per second. `skipped`: Redis was away. `failed`: it was there and refused.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastRedisRefuses',
          queries: [{ expr: q.rate('holdfast.backplane.publishes', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Payloads received',
          description: 'Per second, over all nodes. `malformed` is not from a Holdfast of this version.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAnnouncementsLost',
          queries: [{ expr: q.rate('holdfast.backplane.received', { by: ['kind'] }), legend: '{{kind}}' }],
          min: 0,
        },
        {
          title: 'Tickets let in unchecked',
          description:
            'Per second: tickets honoured within their ten seconds without the check for replay, because Redis was away.',
          unit: 'ops',
          alert: 'HoldfastRedisDown',
          queries: [
            { expr: q.rate('holdfast.authentications', { where: { result: 'unchecked' } }), legend: 'unchecked' },
          ],
          min: 0,
        },
      ],
    },
  ],
};
