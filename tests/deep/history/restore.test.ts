/** A database that comes back without its newest messages: no client keeps one of them without being told. A crash loses nothing. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { metric, post } from '../../support/api.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { expectOneHistory, heldMessages } from '../../support/held-messages.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

const ROUNDS = 20;

/** Keeps owners and modes, which PostgreSQL checks at start. */
const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', from, to]);

describeWith('redis')('a database that comes back', () => {
  let faulty: FaultyCluster;
  let token: string;
  let sent = 0;

  beforeAll(async () => {
    faulty = await startFaultyCluster({ nodes: 2, env: { ...NO_RATE_LIMITS, LOG_LEVEL: 'info' }, ownPostgres: true });
    token = await faulty.cluster.token({ user: 'ada' });
  }, 60_000);
  afterAll(() => faulty?.stop());

  const open = (node: number) => RawClient.open(faulty.node(node).wsUrl, token);

  /** Publishes one message through this node, until it is stored. */
  async function publish(channel: string, node: number): Promise<{ epoch: string; offset: number }> {
    const data = ++sent;
    return eventually(async () => {
      const answer = await post(faulty.node(node).url, token, { channel, data, client_msg_id: `m${data}` });
      expect(answer.ok).toBe(true);
      return { epoch: answer.epoch, offset: answer.offset };
    });
  }

  test(`without its newest messages, ${ROUNDS} times: every client is told, however soon the next message comes`, async () => {
    const { postgres } = faulty;
    const channel = 'room:restored';
    const quiet = 'room:quiet';
    const live = await Promise.all([0, 1, 0, 1].map(open));
    await Promise.all(live.map((client) => client.subscribe(channel)));
    const calm = await open(1);
    await publish(quiet, 0);
    await calm.subscribe(quiet);
    const copied = `${postgres.dataDirectory}.copy`;

    for (let round = 0; round < ROUNDS; round++) {
      const kept = await publish(channel, round);
      await postgres.process.stop('SIGINT', 15_000);
      await rm(copied, { recursive: true, force: true });
      await copy(postgres.dataDirectory, copied);
      await postgres.restart();

      const lost = [await publish(channel, round), await publish(channel, round + 1)];
      await eventually(() => {
        for (const client of live) expect(client.offsets(channel).at(-1)).toBe(lost[1]?.offset);
      });
      await postgres.process.kill('SIGKILL');
      await rm(postgres.dataDirectory, { recursive: true });
      await copy(copied, postgres.dataDirectory);

      // As many messages as were lost or more, at once, through both nodes.
      const next = Promise.all(Array.from({ length: 1 + (round % 5) }, (_, i) => publish(channel, round + i)));
      await postgres.restart();
      const top = Math.max(...(await next).map(({ offset }) => offset));
      await eventually(async () => {
        for (const client of live) await expectOneHistory(client, channel, faulty.node(0).url, token);
      });

      const [beyond, within] = await Promise.all([open(round), open(round + 1)]);
      const refused = await beyond.subscribe(channel, lost[1]);
      expect([round, refused.recovered, refused.reason]).toEqual([round, false, 'epoch_changed']);
      expect(await within.subscribe(channel, kept)).toMatchObject({ recovered: true, offset: kept.offset });
      await eventually(() => expect(within.offsets(channel)).toEqual(offsetsUpTo(top).slice(kept.offset)));
      for (const client of [beyond, within]) client.close();
    }

    await eventually(async () => {
      const regressions = [0, 1].map((node) =>
        metric(faulty.node(node).metricsUrl, 'holdfast_history_regressions_total'),
      );
      for (const count of await Promise.all(regressions)) expect(count).toBeGreaterThanOrEqual(ROUNDS);
    });
    for (const client of [...live, calm]) client.close();
  }, 300_000);

  test('without messages that somebody has deleted: subscribers are told when the nodes connect again', async () => {
    const channel = 'room:deleted';
    const clients = await Promise.all([0, 1].map(open));
    await Promise.all(clients.map((client) => client.subscribe(channel)));
    for (let i = 0; i < 5; i++) await publish(channel, i);
    await eventually(() => {
      for (const client of clients) expect(client.offsets(channel)).toHaveLength(5);
    });
    const sql = new pg.Client({ connectionString: faulty.directDatabaseUrl });
    await sql.connect();
    await sql.query(
      `WITH back AS (UPDATE channels SET top = 3 WHERE name = $1 RETURNING id)
       DELETE FROM messages m USING back b WHERE m.channel_id = b.id AND m."offset" > 3`,
      [channel],
    );
    await sql.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'`);
    await sql.end();
    for (const client of clients) {
      const told = await client.next(
        'subscribed',
        (push) => push.channel === channel && push.reason !== undefined,
        30_000,
      );
      expect(told).toMatchObject({ reason: 'epoch_changed', offset: 3 });
    }
    await publish(channel, 0);
    await eventually(() => {
      for (const client of clients)
        expect(heldMessages(client, channel).messages.map(({ offset }) => offset)).toEqual([4]);
    });
    for (const client of clients) client.close();
  }, 60_000);

  test('a crash that loses nothing is no loss to anybody', async () => {
    const channel = 'room:crashed';
    const client = await open(0);
    const { epoch } = await client.subscribe(channel);
    for (let i = 0; i < 20; i++) await publish(channel, i);
    for (let round = 0; round < 3; round++) {
      await faulty.postgres.process.kill('SIGKILL');
      await sleep(300);
      await faulty.postgres.restart();
      await publish(channel, round);
    }
    await eventually(() => expect(client.offsets(channel)).toEqual(offsetsUpTo(23)));
    expect(heldMessages(client, channel).messages).toHaveLength(23);
    // Each start has its own epoch, in which the first position is still valid.
    const back = await open(1);
    expect(await back.subscribe(channel, { epoch, offset: 20 })).toMatchObject({ recovered: true, offset: 20 });
    await eventually(() => expect(back.offsets(channel)).toEqual([21, 22, 23]));
    for (const one of [client, back]) one.close();
  }, 90_000);
});
