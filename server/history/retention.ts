/**
 * Retention: drops whole daily partitions while readers and writers run: those of messages after the retention, and those
 * of idempotency keys after two days. Never changes `channels`: offsets continue.
 */
import type { Queryable } from './pool.ts';

/** Idempotency keys count for 24 hours, so two days after its begin a daily partition has no key that counts. */
const KEY_DAYS = 2;
const LOCK = `hashtext('holdfast retention')`;

interface Partition {
  readonly parent: string;
  readonly name: string;
  readonly pending: boolean;
}

/**
 * Drops the partitions of messages that ended at least `days` days ago; with `days` 0 all messages are kept. One node at a time:
 * on the others it returns at once.
 * @param session a single connection, because the advisory lock belongs to it; its statement timeout bounds the wait for readers
 * @returns names of the dropped tables
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
 * Partitions are named after their day; partitions with other names were attached by an operator and are kept. A partition whose
 * detach was interrupted is `pending` and comes first, because PostgreSQL detaches no other one before it. Names are compared as
 * text: a plan may evaluate the condition on any table, and a cast to date fails on names that are no dates.
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
  // CONCURRENTLY waits for transactions that use the table, and no other transaction queues behind it.
  await session.query(`ALTER TABLE ${parent} DETACH PARTITION "${name}" ${pending ? 'FINALIZE' : 'CONCURRENTLY'}`);
  await session.query(`DROP TABLE "${name}"`);
}
