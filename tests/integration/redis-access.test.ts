/** What the servers' user in ElastiCache may do is what a node does, and no more: a real node as that user of a real Redis. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { SERVER_ACCESS } from '../../infra/constructs/redis.ts';
import { type Cluster, startCluster } from '../../infra/local/cluster.ts';
import { removeTemporary, temporaryDirectory } from '../../infra/local/guard.ts';
import { RedisServer } from '../../infra/local/redis.ts';
import { RawClient } from '../support/raw-client.ts';
import { eventually } from '../support/wait.ts';

describe('the servers’ user in Redis', () => {
  let logs: string;
  let redis: RedisServer;
  let admin: Redis;
  let cluster: Cluster;

  beforeAll(async () => {
    logs = temporaryDirectory('redis-access');
    redis = await RedisServer.start({ logFile: join(logs, 'redis.log') });
    admin = new Redis(redis.url);
    await admin.call('ACL', 'SETUSER', 'server', '>secret', ...SERVER_ACCESS.split(' '));
    const url = new URL(redis.url);
    url.username = 'server';
    url.password = 'secret';
    cluster = await startCluster({ nodes: 2, redis: true, redisUrl: url.href, nginx: false });
  }, 120_000);

  afterAll(async () => {
    await cluster?.stop();
    admin?.disconnect();
    await redis?.stop();
    removeTemporary(logs);
  });

  test('carries messages, tickets and presence', async () => {
    const token = await cluster.token({ user: 'ada' });
    const [a, b] = cluster.nodes;
    for (const node of cluster.nodes)
      await eventually(async () => {
        const ready = (await (await fetch(`${node.url}/readyz`)).json()) as { dependencies: { redis: string } };
        expect(ready.dependencies.redis).toBe('ok');
      });
    const ticket = (await (
      await fetch(`${a?.url}/auth/ticket`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
    ).json()) as { ticket: string };
    const client = new RawClient(b?.wsUrl ?? '', { query: `?ticket=${ticket.ticket}` });
    await client.next('welcome');
    await client.subscribe('room:1');
    client.send({ type: 'presence', channel: 'room:1' });
    await client.next('presence', ({ users }) => users?.includes('ada') === true);
    await fetch(`${a?.url}/v1/chat.postMessage`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'room:1', text: 'hello' }),
    });
    await client.next('message');
    const denied = (await admin.call('ACL', 'LOG')) as unknown[];
    expect(denied).toEqual([]);
    client.close();
  });

  test('may not touch what is not the servers’', async () => {
    const url = new URL(redis.url);
    const server = new Redis({ host: url.hostname, port: Number(url.port), username: 'server', password: 'secret' });
    for (const [command, ...args] of [
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['KEYS', '*'],
      ['SET', 'other', '1'],
      ['PUBLISH', 'other', '1'],
      ['EVAL', 'return 1', '0'],
      ['ACL', 'LIST'],
    ] as const)
      await expect(server.call(command, ...args)).rejects.toThrow(/NOPERM|permission/);
    server.disconnect();
  });
});
