/** The history on a real PostgreSQL: offsets without holes from many writers, idempotency, recent tops, migrations, partitions. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { PgHistory } from '../../../server/history/history.ts';
import { prepareHistory } from '../../../server/history/prepare.ts';
import type { NewMessage } from '../../../server/history/types.ts';
import { NO_METRICS } from '../../../server/telemetry/metrics.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { offsetsUpTo } from '../../support/raw-client.ts';

describe('history', () => {
  let database: TestDatabase;
  let histories: PgHistory[];
  let sql: pg.Client;
  const errors: unknown[] = [];

  const open = () =>
    new PgHistory({
      login: { url: database.url },
      poolMax: 6,
      connectTimeoutMs: 3_000,
      statementTimeoutMs: 5_000,
      lanes: 3,
      batchMax: 50,
      queueMax: 10_000,
      retentionDays: 0,
      maintenanceIntervalMs: 600_000,
      log: () => {},
      partitionDaysAhead: 2,
      metrics: NO_METRICS,
      onError: (_message, error) => errors.push(error),
    });
  const prepare = () =>
    prepareHistory({ login: { url: database.url }, timeoutMs: 5_000, partitionDaysAhead: 2, log: () => {} });

  beforeAll(async () => {
    database = await createDatabase();
    // Several nodes start at once on an empty database.
    await Promise.all([prepare(), prepare(), prepare()]);
    histories = [open(), open(), open()];
    sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
  });
  afterAll(async () => {
    await Promise.all(histories?.map((history) => history.close()) ?? []);
    await sql?.end();
    await database?.drop();
  });

  const history = (index: number) => histories[index % 3] as PgHistory;
  const message = (channel: string, data: unknown, extra: Partial<NewMessage> = {}): NewMessage => ({
    channel,
    sender: 'ada',
    data: JSON.stringify(data),
    ...extra,
  });

  test('three writers over the same channels, new ones among them, leave offsets without holes and without deadlock', async () => {
    const channels = Array.from({ length: 20 }, (_, i) => `room:${(i * 13) % 20}`);
    const appends = Array.from({ length: 3_000 }, (_, i) =>
      history(i).append(message(channels[(i * 7) % 20] as string, i)),
    );
    const appended = await Promise.all(appends);
    for (const channel of channels) {
      const offsets = appended.filter((_, i) => channels[(i * 7) % 20] === channel).map((entry) => entry.offset);
      expect(offsets.sort((a, b) => a - b)).toEqual(offsetsUpTo(150));
      const page = await history(0).read(channel, { after: 0, limit: 1_000 });
      expect(page.messages.map((stored) => stored.offset)).toEqual(offsetsUpTo(150));
      expect(page.top).toBe(150);
    }
    expect(errors).toEqual([]);
  });

  test('one node’s messages to a channel are stored in the order of their appends', async () => {
    const appended = await Promise.all(offsetsUpTo(500).map((i) => history(0).append(message('room:order', i))));
    expect(appended.map((entry) => entry.offset)).toEqual(offsetsUpTo(500));
  });

  test('an acknowledged message is read back unchanged', async () => {
    const data = [
      '"\\u0000"',
      '{"a":"\\"\\\\\\n\u2028{,}NULL"}',
      '"😀 \\ud800"',
      'null',
      '[]',
      '1e400',
      '"{}"',
      `"${'x'.repeat(60_000)}"`,
    ];
    for (const text of data) await history(0).append({ channel: 'room:exact', sender: 'ä"\\{,}', data: text });
    const page = await history(1).read('room:exact', { after: 0, limit: 100 });
    expect(page.messages.map((stored) => stored.data)).toEqual(data);
    expect(new Set(page.messages.map((stored) => stored.sender))).toEqual(new Set(['ä"\\{,}']));
  });

  test('retries with the same key through all nodes at once store one message and return one offset', async () => {
    for (let round = 0; round < 20; round++) {
      const retry = message('room:keys', round, { clientMsgId: `key-${round}` });
      const appended = await Promise.all(offsetsUpTo(9).map((i) => history(i).append(retry)));
      expect(new Set(appended.map((entry) => entry.offset))).toEqual(new Set([round + 1]));
      expect(new Set(appended.map((entry) => entry.id)).size).toBe(1);
      expect(appended.filter((entry) => !entry.duplicate)).toHaveLength(1);
    }
    expect((await history(0).read('room:keys', { after: 0, limit: 100 })).top).toBe(20);
  });

  test('a key belongs to its sender and channel, and is forgotten after 24 hours', async () => {
    const key = { clientMsgId: 'the key' };
    expect(await history(0).append(message('room:scope', 1, key))).toMatchObject({ offset: 1, duplicate: false });
    expect(await history(1).append(message('room:scope', 1, { ...key, sender: 'ben' }))).toMatchObject({
      offset: 2,
      duplicate: false,
    });
    expect(await history(2).append(message('room:scope2', 1, key))).toMatchObject({ offset: 1, duplicate: false });
    expect(await history(2).append(message('room:scope', 1, key))).toMatchObject({ offset: 1, duplicate: true });
    await sql.query(
      `UPDATE message_keys SET created_at = created_at - interval '24 hours 1 minute' WHERE client_msg_id = 'the key'`,
    );
    expect(await history(0).append(message('room:scope', 1, key))).toMatchObject({ offset: 3, duplicate: false });
  });

  test('a batch of duplicates alone stores nothing and moves no top', async () => {
    const first = await history(0).append(message('room:again', 1, { clientMsgId: 'k' }));
    expect(await history(1).append(message('room:again', 1, { clientMsgId: 'k' }))).toMatchObject({
      offset: first.offset,
      duplicate: true,
    });
    // Not by a poll cursor: an open transaction of another database on this server makes it report the first commit again.
    const { rows } = await sql.query(`SELECT tops FROM commits WHERE 'room:again' = ANY (channels)`);
    expect(rows).toEqual([{ tops: [String(first.offset)] }]);
    expect((await history(0).read('room:again', { after: 0, limit: 10 })).messages).toHaveLength(1);
  });

  test('recent tops include every commit since the cursor, also of a transaction that was open at the last read', async () => {
    const { cursor } = await history(0).topsSince(null);
    await history(0).append(message('room:recent', 1));
    const slow = new pg.Client({ connectionString: database.url });
    await slow.connect();
    await slow.query('BEGIN');
    await slow.query(
      `SELECT append_messages(ARRAY['room:slow'], ARRAY[1], ARRAY[gen_random_uuid()], ARRAY['ada'], ARRAY['1'], ARRAY[NULL]::text[])`,
    );
    await history(0).append(message('room:recent', 2));
    const during = await history(0).topsSince(cursor);
    expect(during.tops.get('room:recent')).toBe(2);
    expect(during.tops.has('room:slow')).toBe(false);
    await slow.query('COMMIT');
    await slow.end();
    expect((await history(0).topsSince(during.cursor)).tops.get('room:slow')).toBe(1);
  });

  test('pages: after, before, bounds, and a channel that does not exist', async () => {
    await Promise.all(offsetsUpTo(10).map((i) => history(0).append(message('room:pages', i))));
    const offsets = async (query: Parameters<PgHistory['read']>[1]) =>
      (await history(0).read('room:pages', query)).messages.map((stored) => stored.offset);
    expect(await offsets({ after: 3, limit: 4 })).toEqual([4, 5, 6, 7]);
    expect(await offsets({ after: 10, limit: 4 })).toEqual([]);
    expect(await offsets({ before: 4, limit: 2 })).toEqual([2, 3]);
    expect(await offsets({ before: Number.MAX_SAFE_INTEGER, limit: 3 })).toEqual([8, 9, 10]);
    const { epoch } = await history(0).read('room:pages', { after: 0, limit: 1 });
    expect(await history(0).read('room:nowhere', { after: 0, limit: 10 })).toEqual({ epoch, top: 0, messages: [] });
    expect((await history(0).tops(['room:pages', 'room:nowhere'])).tops).toEqual(new Map([['room:pages', 10]]));
  });

  test('messages are in daily partitions that are created in advance, and a missing one is created on demand', async () => {
    const partitions = async () =>
      (
        await sql.query<{ name: string }>(
          `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'messages'::regclass`,
        )
      ).rows;
    // Yesterday, today, and two days ahead.
    expect(await partitions()).toHaveLength(4);
    const today = (await sql.query<{ name: string }>(`SELECT tableoid::regclass::text AS name FROM messages LIMIT 1`))
      .rows[0]?.name;
    await sql.query(`DROP TABLE ${today}`);
    expect(await history(0).append(message('room:unpartitioned', 1))).toMatchObject({ offset: 1 });
    expect(await partitions()).toHaveLength(4);
  });

  test('a page read by offset is one index range in each partition, without a sort', async () => {
    // With few rows a scan is cheaper. The test shows that the index alone can answer the query.
    await sql.query('SET enable_seqscan = off');
    await sql.query('SET enable_bitmapscan = off');
    const plan = await sql.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT * FROM messages WHERE channel_id = 1 AND "offset" > 10 AND "offset" <= 60 ORDER BY "offset" LIMIT 50`,
    );
    const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(text.match(/Index Cond: \(\(channel_id = 1\) AND \("offset" > 10\) AND \("offset" <= 60\)\)/g)).toHaveLength(
      4,
    );
    expect(text).not.toMatch(/Sort {2}|Filter/);
  });
});
