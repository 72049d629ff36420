/** Keeps the tables ready: partitions made in advance, the commit list short. Never touches messages. */
import type { Queryable } from './pool.ts';

/** Every hour, against a week of partitions in advance: many chances to fail before it matters. */
const INTERVAL_MS = 3_600_000;

export async function ensurePartitions(database: Queryable, daysAhead: number): Promise<void> {
  await database.query('SELECT ensure_partitions($1)', [daysAhead]);
}

/** A node that looks less often than this makes an exact check instead (`hub/announcer`), so older rows have no reader. */
async function trimCommits(database: Queryable): Promise<void> {
  await database.query(`DELETE FROM commits WHERE at < now() - interval '10 minutes'`);
}

export interface Upkeep {
  stop(): void;
}

/** Runs the upkeep now and then in the background. Errors go to `onError` and the next round tries again. */
export function startUpkeep(database: Queryable, daysAhead: number, onError: (error: unknown) => void): Upkeep {
  const hourly = setInterval(() => void ensurePartitions(database, daysAhead).catch(onError), INTERVAL_MS);
  // Jitter, so that nodes that started together do not all delete together.
  const minutely = setInterval(() => void trimCommits(database).catch(onError), 60_000 + Math.random() * 30_000);
  hourly.unref();
  minutely.unref();
  return {
    stop() {
      clearInterval(hourly);
      clearInterval(minutely);
    },
  };
}
