/**
 * Retention: whole days of messages leave by dropping their partition, beside running readers and writers. Never touches
 * the days that are kept, nor `channels`: offsets go on counting.
 */
import type { Queryable } from './pool.ts';

/** Idempotency keys are looked at for 24 hours; a day's partition has none younger than that two days after it began. */
const KEY_DAYS = 2;
const LOCK = `hashtext('holdfast retention')`;

interface Partition {
  readonly parent: string;
  readonly name: string;
  readonly pending: boolean;
}

/**
 * Drops the partitions that ended `days` days ago or longer; `days` 0 keeps all messages. One node at a time: the others
 * return at once.
 * @param session a single connection, because of its lock, and without a statement timeout of a few seconds
 * @returns names of the tables dropped
 */
export async function dropExpired(session: Queryable, days: number): Promise<string[]> {
  const { rows } = await session.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
  if (!rows[0]?.locked) return [];
  try {
    const expired = [
      ...(days === 0 ? [] : await findExpired(session, 'messages', days)),
      ...(await findExpired(session, 'message_keys', KEY_DAYS)),
    ];
    for (const partition of expired) await drop(session, partition);
    return expired.map((partition) => partition.name);
  } finally {
    await session.query(`SELECT pg_advisory_unlock(${LOCK})`);
  }
}

/**
 * Partitions are named after their day; others, which somebody attached, are not ours to drop. `pending` are those whose
 * detaching was interrupted: they come first, since none can be detached before they are. Names are compared as text,
 * because PostgreSQL may look at any table's before it knows which are partitions, and not all are dates.
 */
async function findExpired(session: Queryable, parent: string, days: number): Promise<Partition[]> {
  const { rows } = await session.query<{ name: string; pending: boolean }>(
    `SELECT c.relname AS name, i.inhdetachpending AS pending
     FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = $1::text::regclass
       AND c.relname ~ ('^' || $1 || '_[0-9]{8}$')
       AND right(c.relname, 8) < to_char((now() AT TIME ZONE 'UTC')::date - $2::int, 'YYYYMMDD')
     ORDER BY pending DESC, c.relname`,
    [parent, days],
  );
  return rows.map((row) => ({ parent, ...row }));
}

async function drop(session: Queryable, { parent, name, pending }: Partition): Promise<void> {
  // CONCURRENTLY waits for those who use the table without making anybody wait behind it.
  await session.query(`ALTER TABLE ${parent} DETACH PARTITION "${name}" ${pending ? 'FINALIZE' : 'CONCURRENTLY'}`);
  await session.query(`DROP TABLE "${name}"`);
}
