/** Retention drops old days without blocking readers or writers, and clients are notified of what they can no longer recover. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { Auditor } from '../../../server/audit/auditor.ts';
import { httpHistory } from '../../../server/audit/http-history.ts';
import { dropExpired } from '../../../server/history/retention.ts';
import { metric, post, readAll } from '../../support/api.ts';
import { AuditedClient } from '../../support/audited-client.ts';
import { AuditedPublisher } from '../../support/audited-publisher.ts';
import { NO_RATE_LIMITS } from '../../support/cluster.ts';
import { type FaultyCluster, startFaultyCluster } from '../../support/faults/faulty-cluster.ts';
import { offsetsUpTo, RawClient } from '../../support/raw-client.ts';
import { describeWith } from '../../support/requirements.ts';
import { eventually, sleep } from '../../support/wait.ts';

/** Join methods to disable, so that each plan is tested: PostgreSQL chooses by its statistics. */
const PLANS = [
  [],
  ['nestloop'],
  ['nestloop', 'hashjoin'],
  ['nestloop', 'mergejoin'],
  ['hashjoin', 'mergejoin'],
] as const;

const DAY_MS = 86_400_000;
const dayName = (daysAgo: number) =>
  new Date(Date.now() - daysAgo * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '');

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Creates the partition of the day `daysAgo` days ago, with `count` messages in it. */
async function addOldDay(
  sql: pg.Client,
  channel: string,
  daysAgo: number,
  first: number,
  count: number,
): Promise<void> {
  for (const parent of ['messages', 'message_keys']) {
    const range = `FROM ('${dayName(daysAgo)} 00:00:00+00') TO ('${dayName(daysAgo - 1)} 00:00:00+00')`;
    await sql.query(
      `CREATE TABLE IF NOT EXISTS ${parent}_${dayName(daysAgo)} PARTITION OF ${parent} FOR VALUES ${range}`,
    );
  }
  const values = [channel, first + count - 1];
  await sql.query('INSERT INTO channels (name, top) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET top = $2', values);
  await sql.query(
    `INSERT INTO messages SELECT c.id, n, gen_random_uuid(), 'ada', n::text, $2::date + time '12:00' AT TIME ZONE 'UTC'
     FROM channels c, generate_series($3::bigint, $4::bigint) n WHERE c.name = $1`,
    [channel, dayName(daysAgo), first, first + count - 1],
  );
}

describeWith('redis')('retention', () => {
  let faulty: FaultyCluster;
  let token: string;
  let sql: pg.Client;

  beforeAll(async () => {
    faulty = await startFaultyCluster({ nodes: 2, env: NO_RATE_LIMITS });
    token = await faulty.cluster.token({ user: 'ada' });
    sql = await connect(faulty.directDatabaseUrl);
  });
  afterAll(async () => {
    await sql?.end();
    await faulty?.stop();
  });

  const partitions = async () => {
    const { rows } = await sql.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent IN ('messages'::regclass, 'message_keys'::regclass)`,
    );
    return rows.map((row) => row.name).sort();
  };

  test('expired days are dropped under load while a transaction reads them; the other days and recovery stay correct', async () => {
    const channel = 'room:old';
    await addOldDay(sql, channel, 40, 1, 100);
    await addOldDay(sql, channel, 31, 101, 100);
    await addOldDay(sql, channel, 29, 201, 100);
    const { epoch } = await post(faulty.node(1).url, token, { channel, data: 301 });
    expect(await readAll(faulty.node(1).url, token, channel)).toHaveLength(301);

    const auditor = new Auditor({ history: httpHistory({ url: faulty.node(1).url, token }) });
    const busy = 'room:busy';
    const client = new AuditedClient({
      auditor,
      token,
      name: 'c',
      channels: [busy],
      wsUrl: () => faulty.node(1).wsUrl,
    });
    const publishers = [0, 1, 2].map(
      (i) => new AuditedPublisher({ auditor, token, name: `p${i}`, url: () => faulty.node(1).url }),
    );
    await eventually(() => expect(client.isReady).toBe(true));
    // A reader that has locked every partition and stays open: no statement may queue behind it.
    const reader = await connect(faulty.directDatabaseUrl);
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM messages');
    let running = true;
    const load = publishers.map(async (publisher) => {
      while (running) await publisher.publish(busy);
    });
    try {
      await faulty.node(0).restart({ HISTORY_RETENTION_DAYS: '30', LOG_LEVEL: 'info' });
      await eventually(async () => {
        const { rows } = await sql.query(
          "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'ALTER TABLE%DETACH%'",
        );
        expect(rows).toHaveLength(1);
      });
      // The detach waits for the reader, and no publish waits for the detach.
      const acknowledged = () => publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);
      await sleep(500);
      const before = acknowledged();
      await sleep(1_500);
      expect(acknowledged()).toBeGreaterThan(before);
      expect((await partitions()).filter((name) => name.endsWith(dayName(40)))).toContain(`messages_${dayName(40)}`);
      await reader.query('COMMIT');
      await eventually(async () => {
        const names = await partitions();
        expect(names).not.toContain(`messages_${dayName(31)}`);
        expect(names).not.toContain(`messages_${dayName(40)}`);
        expect(names).not.toContain(`message_keys_${dayName(29)}`);
      });
    } finally {
      running = false;
      await Promise.all(load);
      await reader.end();
    }
    expect(await partitions()).toContain(`messages_${dayName(29)}`);
    expect(await partitions()).toContain(`messages_${dayName(0)}`);
    expect(publishers.map((publisher) => publisher.failures)).toEqual([0, 0, 0]);
    expect(await metric(faulty.node(0).metricsUrl, 'holdfast_history_partitions_dropped_total')).toBeGreaterThanOrEqual(
      5,
    );
    await eventually(async () => {
      await auditor.follow();
      expect(auditor.isComplete).toBe(true);
    });
    expect(await auditor.close()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, unstored: 0 });
    client.stop();

    const [gone, partly, kept] = await Promise.all(
      [0, 1, 1].map((node) => RawClient.open(faulty.node(node).wsUrl, token)),
    );
    for (const [late, offset] of [
      [gone, 0],
      [partly, 199],
    ] as const)
      expect(await late?.subscribe(channel, { epoch, offset })).toMatchObject({
        recovered: false,
        reason: 'history_expired',
        offset: 301,
      });
    expect(await kept?.subscribe(channel, { epoch, offset: 200 })).toMatchObject({ recovered: true, offset: 200 });
    await eventually(() => expect(kept?.offsets()).toEqual(offsetsUpTo(301).slice(200)));
    expect([gone?.offsets(), partly?.offsets()]).toEqual([[], []]);
    for (const raw of [gone, partly, kept]) raw?.close();
  }, 90_000);

  test('expired days are found with whatever plan PostgreSQL chooses; partitions with other names are kept', async () => {
    const range = `FROM ('${dayName(90)} 00:00:00+00') TO ('${dayName(80)} 00:00:00+00')`;
    await sql.query(`CREATE TABLE messages_archive PARTITION OF messages FOR VALUES ${range}`);
    for (const [i, disabled] of PLANS.entries()) {
      await addOldDay(sql, 'room:plans', 70 + i, 1, 1);
      const session = await connect(faulty.directDatabaseUrl);
      for (const way of disabled) await session.query(`SET enable_${way} = off`);
      expect(await dropExpired(session, 30)).toEqual([
        `messages_${dayName(70 + i)}`,
        `message_keys_${dayName(70 + i)}`,
      ]);
      await session.end();
    }
    expect(await partitions()).toContain('messages_archive');
  });

  test('a detach that was interrupted is completed, also with older days to drop', async () => {
    await addOldDay(sql, 'room:interrupted', 50, 1, 10);
    const name = `messages_${dayName(50)}`;
    const reader = await connect(faulty.directDatabaseUrl);
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM messages');
    await sql.query('SET statement_timeout = 500');
    await expect(sql.query(`ALTER TABLE messages DETACH PARTITION ${name} CONCURRENTLY`)).rejects.toMatchObject({
      code: '57014',
    });
    await sql.query('RESET statement_timeout');
    await reader.query('COMMIT');
    await reader.end();
    expect(await partitions()).toContain(name);
    await addOldDay(sql, 'room:older', 60, 1, 10);
    await faulty.node(0).restart();
    await eventually(async () => expect(await partitions()).not.toContain(name));
    const table = async () => (await sql.query('SELECT to_regclass($1) AS there', [name])).rows;
    // Detached first, then dropped by a separate statement.
    await eventually(async () => expect(await table()).toEqual([{ there: null }]));
    await eventually(async () => expect(await partitions()).not.toContain(`messages_${dayName(60)}`));
  }, 60_000);
});
