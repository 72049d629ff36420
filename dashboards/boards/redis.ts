/** The Redis dashboard, as measured by the nodes: availability, latency, throughput. */
import type { Board } from '../lib/panel.ts';
import { queries } from '../lib/query.ts';
import { SCOPE } from './scope.ts';

const q = queries(SCOPE);

export const REDIS: Board = {
  name: 'redis',
  title: 'Holdfast: Redis',
  description:
    'Does Redis carry messages between nodes, and how fast? Without Redis messages arrive later, and none is lost.',
  rows: [
    {
      title: 'Availability',
      panels: [
        {
          title: 'Nodes with Redis',
          description:
            'Nodes that receive through Redis, of all nodes. The lines are normally equal. The others are degraded: check Redis and their connection to it.',
          unit: 'short',
          alert: 'HoldfastRedisDown',
          queries: [
            { expr: q.gauge('holdfast.backplane.up', 'sum'), legend: 'with Redis' },
            { expr: q.gauge('holdfast.backplane.up', 'count'), legend: 'all nodes' },
          ],
          min: 0,
        },
        {
          title: 'Canary age',
          description:
            'Time since each node last received its own canary through Redis. Normal is about 1 s (REDIS_CANARY_INTERVAL_MS). A rise on an open connection means that Redis delivers nothing.',
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
          title: 'Deaf connections and reconnects',
          description:
            'Open Redis connections per second that delivered nothing, and restored subscriptions. Normal is 0. Some of each follow a failover.',
          unit: 'ops',
          alert: 'HoldfastRedisDeaf',
          queries: [
            { expr: q.rate('holdfast.backplane.deaf'), legend: 'deaf' },
            { expr: q.rate('holdfast.backplane.reconnects'), legend: 'reconnected' },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Latency and throughput',
      panels: [
        {
          title: 'Canary round trip',
          description:
            'Time of a canary from a node through Redis and back, including the event loop. Normal is below 5 ms within a region. If it rises, compare CPU of Redis with event loop lag.',
          unit: 's',
          alert: 'HoldfastRedisSlow',
          idle: 'no Redis is configured, or it was never reachable',
          queries: [
            { expr: q.quantile(0.5, 'holdfast.backplane.canary.duration.seconds'), legend: 'p50' },
            { expr: q.quantile(0.99, 'holdfast.backplane.canary.duration.seconds'), legend: 'p99' },
          ],
          min: 0,
        },
        {
          title: 'Publish reply time',
          description:
            'Time from sending a batch to Redis until its reply. Normal is below 5 ms within a region. Longer than REDIS_TIMEOUT_MS counts as failed.',
          unit: 's',
          alert: 'HoldfastRedisSlow',
          idle: 'no message was published in this time',
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
          title: 'Publishes by result',
          description:
            'Publishes to Redis per second. Normal is `ok`. `skipped`: Redis was unreachable. `failed`: Redis rejected it or did not reply in time. Other nodes read those messages from Postgres.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastRedisRefuses',
          queries: [{ expr: q.rate('holdfast.backplane.publishes', { by: ['result'] }), legend: '{{result}}' }],
          min: 0,
        },
        {
          title: 'Payloads received',
          description:
            'Payloads per second over all nodes. `malformed` is normally 0: it comes from another version or another program that uses the same prefix.',
          unit: 'ops',
          kind: 'stack',
          alert: 'HoldfastAnnouncementsLost',
          queries: [{ expr: q.rate('holdfast.backplane.received', { by: ['kind'] }), legend: '{{kind}}' }],
          min: 0,
        },
        {
          title: 'Tickets accepted unchecked',
          description:
            'Tickets per second accepted without the single-use check across nodes, because Redis was unreachable. Normal is 0. A ticket is valid for 10 s, so the risk is small.',
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
