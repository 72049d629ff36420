/** The ElastiCache user of the nodes may do what a node needs, and nothing else: a real node with that user on a real Redis. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { CLUSTER_ACCESS, SERVER_ACCESS } from '../../../infra/plan/redis-access.ts';
import { BACKPLANES, type RunningBackplane } from '../../support/backplanes.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

const ACCESS = [SERVER_ACCESS, CLUSTER_ACCESS];

for (const [i, kind] of BACKPLANES.entries())
  describeWith(kind.needs)(`the Redis user of the nodes in ${kind.name}`, () => {
    let backplane: RunningBackplane;
    let admins: Redis[];
    let cluster: Cluster;

    beforeAll(async () => {
      backplane = await kind.start();
      admins = backplane.servers.map(({ url }) => new Redis(url));
      for (const admin of admins)
        await admin.call('ACL', 'SETUSER', 'server', '>secret', ...(ACCESS[i] as string).split(' '));
      const url = new URL(backplane.options.redisUrl);
      url.username = 'server';
      url.password = 'secret';
      cluster = await startTestCluster({ redisUrl: url.href, env: backplane.options.env });
    }, 120_000);

    afterAll(async () => {
      await cluster?.stop();
      for (const admin of admins ?? []) admin.disconnect();
      await backplane?.stop();
    });

    test('can carry messages, tickets and presence', async () => {
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
      for (const admin of admins) expect(await admin.call('ACL', 'LOG')).toEqual([]);
      client.close();
    });

    test('cannot use other keys, channels and commands', async () => {
      const url = new URL(backplane.options.redisUrl);
      const server = new Redis({ host: url.hostname, port: Number(url.port), username: 'server', password: 'secret' });
      for (const [command, ...args] of [
        ['FLUSHALL'],
        ['CONFIG', 'GET', '*'],
        ['KEYS', '*'],
        ['SET', 'other', '1'],
        ['PUBLISH', 'other', '1'],
        ['EVAL', 'return 1', '0'],
        ['ACL', 'LIST'],
        ['CLUSTER', 'FORGET', 'x'],
      ] as const)
        await expect(server.call(command, ...args)).rejects.toThrow(/NOPERM|permission/);
      server.disconnect();
    });
  });
