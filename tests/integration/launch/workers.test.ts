/** `WORKERS`: several nodes on one machine share one port, and deliver to each other. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { post } from '../../support/api.ts';
import { startTestCluster } from '../../support/cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

describeWith('redis')('WORKERS=3', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startTestCluster({ nodes: 1, env: { WORKERS: '3', LOG_LEVEL: 'warn' } });
  });
  afterAll(() => cluster?.stop());

  const url = () => cluster.node(0).url;
  const wsUrl = () => cluster.node(0).wsUrl;

  test('three workers are three nodes that share the port and deliver to each other', async () => {
    const token = await cluster.token({ user: 'ada' });
    const clients: RawClient[] = [];
    // The port answers when the first worker does; the others follow.
    await eventually(async () => {
      clients.push(await RawClient.open(wsUrl(), token));
      const names = clients.flatMap((client) =>
        client.pushes.flatMap((push) => (push.type === 'welcome' ? [push.node_id] : [])),
      );
      expect([...new Set(names)].sort()).toEqual(['node-1-0', 'node-1-1', 'node-1-2']);
    });
    await Promise.all(clients.map((client) => client.subscribe('room:workers')));
    for (let i = 0; i < 30; i++) await post(url(), token, { channel: 'room:workers', data: i });
    for (const client of clients) await eventually(() => expect(client.offsets()).toEqual(offsetsUpTo(30)));
    for (const client of clients) client.close();
  });
});
