/**
 * Statements that read: pages of a channel, exact tops, tops that were committed since a poll cursor, and the test whether Postgres
 * takes writes. Writes nothing.
 */
import type { Queryable } from './pool.ts';
import type { Page, PageQuery, RecentTops, StoredMessage, Tops } from './types.ts';

interface PageRow {
  epoch: string;
  top: string | null;
  offset: string | null;
  id: string;
  sender: string;
  data: string;
  created_ms: number;
}

/**
 * One snapshot for epoch, top and messages. Returns at least one row, so that an unknown channel has an epoch too.
 * Offsets have no holes, so AFTER can bound the offset from above, which limits the index scan to one page.
 */
const page = (condition: string, order: 'ASC' | 'DESC') => `
  SELECT e.epoch, c.top, m."offset", m.id, m.sender, m.data, extract(epoch FROM m.created_at) * 1000 AS created_ms
  FROM history_epoch e
  LEFT JOIN channels c ON c.name = $1
  LEFT JOIN LATERAL (
    SELECT * FROM messages WHERE channel_id = c.id AND ${condition} ORDER BY "offset" ${order} LIMIT $3
  ) m ON true
  ORDER BY m."offset"`;

const AFTER = page('"offset" > $2::bigint AND "offset" <= $2::bigint + $3::bigint', 'ASC');
const BEFORE = page('"offset" < $2::bigint', 'DESC');

export async function readPage(database: Queryable, channel: string, query: PageQuery): Promise<Page> {
  const isAfter = 'after' in query;
  const { rows } = await database.query<PageRow>({
    name: isAfter ? 'read_after' : 'read_before',
    text: isAfter ? AFTER : BEFORE,
    values: [channel, isAfter ? query.after : query.before, query.limit],
  });
  const head = rows[0] as PageRow;
  const messages = rows
    .filter((row) => row.offset !== null)
    .map((row): StoredMessage => {
      return {
        offset: Number(row.offset),
        id: row.id,
        sender: row.sender,
        data: row.data,
        createdAt: Number(row.created_ms),
      };
    });
  return { epoch: head.epoch, top: Number(head.top ?? 0), messages };
}

export async function readTops(database: Queryable, channels: readonly string[]): Promise<Tops> {
  const { rows } = await database.query<{ epoch: string; name: string | null; top: string }>({
    name: 'read_tops',
    text: 'SELECT e.epoch, c.name, c.top FROM history_epoch e LEFT JOIN channels c ON c.name = ANY ($1::text[])',
    values: [channels],
  });
  const tops = new Map<string, number>();
  for (const row of rows) if (row.name !== null) tops.set(row.name, Number(row.top));
  return { epoch: (rows[0] as { epoch: string }).epoch, tops };
}

/**
 * The poll cursor is the oldest transaction id that was still running at the last read. Commits below it were visible then; all
 * others are read again. So no late commit is missed, and some are reported twice.
 */
export async function readTopsSince(database: Queryable, cursor: string | null): Promise<RecentTops> {
  const { rows } = await database.query<{
    epoch: string;
    cursor: string;
    channels: string[] | null;
    tops: string[] | null;
  }>({
    name: 'read_tops_since',
    text: `SELECT e.epoch, pg_snapshot_xmin(pg_current_snapshot())::text AS cursor, c.channels, c.tops
           FROM history_epoch e LEFT JOIN commits c ON c.xid >= $1::text::xid8`,
    // Without a cursor: begin with the present. This is the largest xid8, so no commit has it.
    values: [cursor ?? '18446744073709551615'],
  });
  const tops = new Map<string, number>();
  for (const row of rows) {
    row.channels?.forEach((channel, i) => {
      tops.set(channel, Math.max(tops.get(channel) ?? 0, Number(row.tops?.[i])));
    });
  }
  const head = rows[0] as { epoch: string; cursor: string };
  return { epoch: head.epoch, cursor: head.cursor, tops };
}

/** @throws Error when the server does not answer or is read-only: a replica, or a primary during a failover */
export async function checkWritable(database: Queryable): Promise<void> {
  const { rows } = await database.query<{ transaction_read_only: string }>('SHOW transaction_read_only');
  if (rows[0]?.transaction_read_only !== 'off') throw new Error('Postgres is read-only.');
}
