/** Alarms on Redis, three for each server: CloudWatch has metrics of ElastiCache only for single servers. Pure. */
import type { Environment } from '../../../environments/types.ts';
import { type Alarm, MINUTE, NEVER, type Watched } from './alarm.ts';

export function redisAlarms({ redis }: Environment, { redisId }: Watched): Alarm[] {
  return serverNames(redisId, redis.shards, redis.replicas).flatMap((server, i) => serverAlarms(server, i + 1));
}

function serverAlarms(server: string, number: number): Alarm[] {
  const cache = {
    namespace: 'AWS/ElastiCache',
    dimensions: { CacheClusterId: server },
    period: 5 * MINUTE,
    missing: 'notBreaching',
  } as const;
  return [
    {
      ...cache,
      name: `RedisEngineCpu${number}`,
      description:
        'Messages between nodes arrive late. Redis has used more than 80 % of its one CPU core for ten minutes. Likely cause: more messages per second than one core carries. First step: choose a larger redis.nodeType, or spread the channels with redis.shards.',
      metric: 'EngineCPUUtilization',
      statistic: 'Average',
      comparison: 'above',
      threshold: 80,
      periods: 2,
    },
    {
      ...cache,
      name: `RedisMemory${number}`,
      description:
        'Users notice nothing yet; when the memory is full, presence is incomplete and tickets are no longer checked for single use. Redis has used more than 80 % of its memory for ten minutes, although it holds only tickets and presence. Likely cause: output buffers of a node that reads too slowly, or keys of another application. First step: look for a node with high event loop lag on the dashboard "nodes"; if there is none, compare CurrItems with the week before.',
      metric: 'DatabaseMemoryUsagePercentage',
      statistic: 'Maximum',
      comparison: 'above',
      threshold: 80,
      periods: 2,
    },
    {
      ...cache,
      name: `RedisEvictions${number}`,
      description:
        'Users may be missing from presence, and a ticket may be used twice. Redis has evicted keys, which the parameter maxmemory-policy noeviction rules out. Likely cause: the parameter group was changed by hand. First step: run cdktf diff on the data stack and deploy it to restore the parameter.',
      ...NEVER,
      metric: 'Evictions',
      periods: 1,
    },
  ];
}

/** Names that ElastiCache gives to the servers (in its documents: nodes) of a replication group: `<id>-001`; in cluster mode `<id>-0001-001`. */
function serverNames(id: string, shards: number, replicas: number): string[] {
  const number = (n: number, digits: number) => String(n).padStart(digits, '0');
  const suffixes = Array.from({ length: 1 + replicas }, (_, i) => number(i + 1, 3));
  if (shards === 0) return suffixes.map((suffix) => `${id}-${suffix}`);
  return Array.from({ length: shards }, (_, i) => number(i + 1, 4)).flatMap((shard) =>
    suffixes.map((suffix) => `${id}-${shard}-${suffix}`),
  );
}
