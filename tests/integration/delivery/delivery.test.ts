/**
 * Delivery without faults, over each kind of backplane: a message that any node commits reaches the subscribers of every
 * node in order and once, and a recovery delivers all missed messages or states why it cannot. Faults are in
 * `../faults`; what a node restart costs is in `herd.test.ts`.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { Cluster } from '../../../infra/local/servers/cluster.ts';
import { metric, post } from '../../support/api.ts';
import { BACKPLANES, type RunningBackplane, startClusterOver } from '../../support/backplanes.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually } from '../../support/wait.ts';

/** Two nodes are enough for the Redis Cluster: it differs from one Redis per node, not between nodes. */
const NODES = { 'one Redis': 4, 'a Redis Cluster': 2 } as const;

for (const kind of BACKPLANES)
  describeWith(kind.needs)(`delivery over ${NODES[kind.name]} nodes and ${kind.name}`, () => {
    let backplane: RunningBackplane;
    let cluster: Cluster;
    let token: string;

    beforeAll(async () => {
      ({ cluster, backplane } = await startClusterOver(kind, {
        nodes: NODES[kind.name],
        env: { TAIL_WINDOW_MESSAGES: '16', LOG_LEVEL: 'warn', ...NO_RATE_LIMITS },
      }));
      token = await cluster.token({ user: 'ada' });
    });
    afterAll(() => cluster?.stop());

    const node = (index: number) => cluster.node(index % NODES[kind.name]);
    const open = (index: number) => RawClient.open(node(index).wsUrl, token);

    async function expectOffsets(client: RawClient, top: number, channel: string): Promise<void> {
      await eventually(() => expect(client.offsets(channel).at(-1)).toBe(top));
      expect(client.offsets(channel)).toEqual(offsetsUpTo(top));
    }

    test('messages published through all nodes reach the subscribers of every node, in order and once', async () => {
      const clients = await Promise.all([0, 1, 2, 3, 0, 1, 2, 3].map(open));
      await Promise.all(clients.map((client) => client.subscribe('room:all')));
      const posts = Array.from({ length: 200 }, (_, i) =>
        post(node((i * 7) % 4).url, token, { channel: 'room:all', data: i }),
      );
      const answers = await Promise.all(posts);
      expect(answers.map((answer) => answer.offset).sort((a, b) => a - b)).toEqual(offsetsUpTo(200));
      for (const client of clients) {
        await expectOffsets(client, 200, 'room:all');
        for (const message of client.messages()) expect(answers[message.data as number]?.offset).toBe(message.offset);
        client.close();
      }
    });

    test('the messages of one publisher keep their order', async () => {
      const [publisher, subscriber] = await Promise.all([open(0), open(1)]);
      await subscriber.subscribe('room:order');
      for (let i = 1; i <= 100; i++) publisher.send({ type: 'publish', id: String(i), channel: 'room:order', data: i });
      await expectOffsets(subscriber, 100, 'room:order');
      expect(subscriber.messages().map((message) => message.data)).toEqual(offsetsUpTo(100));
      publisher.close();
      subscriber.close();
    });

    test('a node subscribes in Redis only to channels for which it has subscribers', async () => {
      const count = () => backplane.subscribers('holdfast:channel:room:rare');
      const [first, second] = await Promise.all([open(0), open(1)]);
      expect(await count()).toBe(0);
      await Promise.all([first.subscribe('room:rare'), second.subscribe('room:rare')]);
      expect(await count()).toBe(2);
      first.close();
      second.send({ type: 'unsubscribe', channel: 'room:rare' });
      await eventually(async () => expect(await count()).toBe(0));
      second.close();
    });

    test('a client that recovers from its position receives 10,000 missed messages, then live ones', async () => {
      const first = await open(0);
      const { epoch } = await first.subscribe('room:missed');
      first.close();
      const publisher = await open(1);
      const before = await metric(node(3).metricsUrl, 'holdfast_history_statements_total', { kind: 'page' });
      for (let i = 1; i <= 10_000; i++) {
        publisher.send({ type: 'publish', id: String(i), channel: 'room:missed', data: i });
        if (i % 100 === 0) await publisher.next('ack', (ack) => ack.id === String(i));
      }
      const clients = await Promise.all(Array.from({ length: 5 }, () => open(3)));
      const replies = await Promise.all(clients.map((client) => client.subscribe('room:missed', { epoch, offset: 0 })));
      publisher.send({ type: 'publish', id: 'live', channel: 'room:missed', data: 'live' });
      for (const reply of replies) expect(reply).toMatchObject({ recovered: true, offset: 0, top: 10_000 });
      for (const client of clients) await expectOffsets(client, 10_001, 'room:missed');
      const reads = (await metric(node(3).metricsUrl, 'holdfast_history_statements_total', { kind: 'page' })) - before;
      // 10,001 messages are 51 pages of 200, read once for all five clients.
      expect(reads).toBeLessThanOrEqual(60);
      for (const client of [...clients, publisher]) client.close();
    }, 120_000);

    test('clients that disconnect and recover again and again under load miss nothing', async () => {
      const channel = 'room:drops';
      let running = true;
      const publishing = (async () => {
        let count = 0;
        while (running) count = (await post(node(count % 4).url, token, { channel, data: count })).offset;
        return count;
      })();
      const follow = async (index: number) => {
        const seen: number[] = [];
        let position = { epoch: '', offset: 0 };
        for (let round = 0; round < 8; round++) {
          const client = await open((index + round) % 4);
          const reply = await client.subscribe(channel, round === 0 ? undefined : position);
          if (round === 0) position = { epoch: reply.epoch, offset: reply.offset };
          else expect(reply).toMatchObject({ recovered: true, offset: position.offset });
          const wanted = position.offset + 1 + ((index * 31 + round * 17) % 40);
          await eventually(() => expect(client.offsets().at(-1)).toBeGreaterThanOrEqual(wanted), { timeoutMs: 20_000 });
          const got = client.offsets();
          client.close();
          expect(got).toEqual(got.map((_, i) => position.offset + 1 + i));
          seen.push(...got);
          position = { ...position, offset: got.at(-1) as number };
        }
        expect(seen).toEqual(seen.map((_, i) => (seen[0] as number) + i));
      };
      await Promise.all(Array.from({ length: 8 }, (_, index) => follow(index)));
      running = false;
      expect(await publishing).toBeGreaterThan(100);
    }, 120_000);

    test('a recovery from a position of another epoch, or beyond the top, is refused with the reason', async () => {
      await post(node(0).url, token, { channel: 'room:refused', data: 1 });
      const client = await open(0);
      const wrong = await client.subscribe('room:refused', { epoch: 'another', offset: 0 });
      expect(wrong).toMatchObject({ recovered: false, reason: 'epoch_changed', offset: 1 });
      const other = await open(1);
      const ahead = await other.subscribe('room:refused', { epoch: wrong.epoch, offset: 9 });
      expect(ahead).toMatchObject({ recovered: false, reason: 'position_ahead', offset: 1 });
      client.close();
      other.close();
    });

    test('a recovery from before the oldest stored message is refused as a whole', async () => {
      const channel = 'room:expired';
      const { epoch } = await post(node(0).url, token, { channel, data: 0 });
      for (let i = 1; i < 50; i++) await post(node(0).url, token, { channel, data: i });
      const database = new pg.Client({ connectionString: cluster.databaseUrl });
      await database.connect();
      await database.query(
        `DELETE FROM messages WHERE "offset" <= 10 AND channel_id = (SELECT id FROM channels WHERE name = $1)`,
        [channel],
      );
      await database.end();
      const [gone, kept] = await Promise.all([open(2), open(2)]);
      expect(await gone.subscribe(channel, { epoch, offset: 9 })).toMatchObject({
        recovered: false,
        reason: 'history_expired',
        offset: 50,
      });
      expect(await kept.subscribe(channel, { epoch, offset: 10 })).toMatchObject({ recovered: true, offset: 10 });
      await eventually(() => expect(kept.offsets()).toEqual(offsetsUpTo(50).slice(10)));
      expect(gone.messages()).toEqual([]);
      gone.close();
      kept.close();
    });

    test('a live subscriber receives recovered: false when the epoch changes', async () => {
      const client = await open(0);
      const { epoch } = await client.subscribe('room:restored');
      const database = new pg.Client({ connectionString: cluster.databaseUrl });
      await database.connect();
      await database.query('SELECT change_epoch()');
      await database.end();
      const reply = await client.next(
        'subscribed',
        (push) => push.recovered === false && push.reason === 'epoch_changed',
        15_000,
      );
      expect(reply.epoch).not.toBe(epoch);
      await post(node(1).url, token, { channel: 'room:restored', data: 'after' });
      await client.next('message', (message) => message.data === 'after');
      client.close();
    });
  });
