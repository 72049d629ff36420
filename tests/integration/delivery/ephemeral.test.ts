/** Typing and presence reach other nodes, are never stored, and converge after a node is killed. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import type { Presence } from '../../../server/protocol/messages.ts';
import { BACKPLANES, type RunningBackplane, startClusterOver } from '../../support/backplanes.ts';
import { RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** The present users, as a client computes them from the answer and the changes. */
function presentIn(client: RawClient, channel: string): string[] {
  const users = new Set<string>();
  for (const push of client.pushes) {
    if (push.type !== 'presence' || push.channel !== channel) continue;
    for (const user of [...(push.users ?? []), ...(push.joined ?? [])]) users.add(user);
    for (const user of push.left ?? []) users.delete(user);
  }
  return [...users].sort();
}

for (const kind of BACKPLANES)
  describeWith(kind.needs)(`ephemeral events over ${kind.name}`, () => {
    let backplane: RunningBackplane;
    let cluster: Cluster;

    beforeAll(async () => {
      ({ cluster, backplane } = await startClusterOver(kind, { env: { PRESENCE_TTL_MS: '3000', LOG_LEVEL: 'warn' } }));
    });
    afterAll(() => cluster?.stop());

    const node = (index: number) => cluster.node(index);

    async function join(index: number, user: string, channel: string): Promise<RawClient> {
      const client = await RawClient.open(node(index).wsUrl, await cluster.token({ user }));
      await client.subscribe(channel);
      return client;
    }

    test('typing reaches the other subscribers on every node, not its sender, and is not stored', async () => {
      const clients = await Promise.all([
        join(0, 'ann', 'room:typing'),
        join(0, 'ben', 'room:typing'),
        join(1, 'cat', 'room:typing'),
      ]);
      const [ann, ben, cat] = clients as [RawClient, RawClient, RawClient];
      ann.send({ type: 'typing_start', channel: 'room:typing' });
      const expected = { type: 'typing', channel: 'room:typing', user: 'ann', typing: true };
      expect(await ben.next('typing')).toEqual(expected);
      expect(await cat.next('typing')).toEqual(expected);
      ann.send({ type: 'typing_stop', channel: 'room:typing' });
      await cat.next('typing', (push) => !push.typing);
      await sleep(200);
      expect(ann.pushes.filter((push) => push.type === 'typing')).toEqual([]);
      expect(cat.pushes.filter((push) => push.type === 'typing')).toHaveLength(2);
      const database = new pg.Client({ connectionString: cluster.databaseUrl });
      await database.connect();
      const { rows } = await database.query(
        'SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM channels)::int AS channels',
      );
      await database.end();
      expect(rows).toEqual([{ messages: 0, channels: 0 }]);
      for (const client of clients) client.close();
    });

    test('typing and presence need a subscription', async () => {
      const client = await RawClient.open(node(0).wsUrl, await cluster.token({ user: 'ann' }));
      client.send({ type: 'typing_start', channel: 'room:none' });
      await client.next('error', (error) => error.code === 'not_subscribed' && error.channel === 'room:none');
      client.send({ type: 'presence', id: 'p', channel: 'room:none' });
      await client.next('error', (error) => error.code === 'not_subscribed' && error.id === 'p');
      client.close();
    });

    test('presence names each user of all nodes once, and reports joins and leaves', async () => {
      const channel = 'room:present';
      const ann = await join(0, 'ann', channel);
      ann.send({ type: 'presence', id: 'p', channel });
      expect(await ann.next('presence')).toEqual({
        type: 'presence',
        id: 'p',
        channel,
        users: ['ann'],
      } satisfies Presence);
      const others = await Promise.all([join(1, 'ben', channel), join(0, 'ben', channel), join(1, 'cat', channel)]);
      for (const other of others) other.send({ type: 'presence', channel });
      await eventually(() => expect(presentIn(ann, channel)).toEqual(['ann', 'ben', 'cat']));
      for (const other of others)
        await eventually(() => expect(presentIn(other, channel)).toEqual(['ann', 'ben', 'cat']));
      const [benFirst, benSecond, cat] = others as [RawClient, RawClient, RawClient];
      benFirst.close();
      cat.send({ type: 'unsubscribe', channel });
      await eventually(() => expect(presentIn(ann, channel)).toEqual(['ann', 'ben']));
      // Ben has a connection on another node, so he stays present after a full round of refreshes.
      await sleep(1_500);
      expect(presentIn(ann, channel)).toEqual(['ann', 'ben']);
      benSecond.close();
      await eventually(() => expect(presentIn(ann, channel)).toEqual(['ann']));
      for (const client of [ann, cat]) client.close();
    });

    test('users of a killed node leave the presence after PRESENCE_TTL_MS', async () => {
      const channel = 'room:killed';
      const [ann, dan] = (await Promise.all([join(0, 'ann', channel), join(1, 'dan', channel)])) as [
        RawClient,
        RawClient,
      ];
      for (const client of [ann, dan]) client.send({ type: 'presence', channel });
      await eventually(() => expect(presentIn(ann, channel)).toEqual(['ann', 'dan']));
      await node(1).process.kill('SIGKILL');
      await eventually(() => expect(presentIn(ann, channel)).toEqual(['ann']), { timeoutMs: 15_000 });
      await node(1).restart();
      ann.close();
    }, 60_000);

    test('without Redis presence is marked as partial', async () => {
      await Promise.all(backplane.servers.map((server) => server.process.stop('SIGTERM', 5_000)));
      const ann = await join(0, 'ann', 'room:partial');
      ann.send({ type: 'presence', channel: 'room:partial' });
      expect(await ann.next('presence')).toMatchObject({ users: ['ann'], partial: true });
      await Promise.all(backplane.servers.map((server) => server.restart()));
      ann.close();
    });
  });
