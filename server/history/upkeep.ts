/** Keeps the tables ready: partitions made in advance, the commit list short. Never touches messages. */
import type { Pool } from './pool.ts';

/** Every hour, against a week of partitions in advance: many chances to fail before it matters. */
const INTERVAL_MS = 3_600_000;

export async function ensurePartitions(pool: Pool, daysAhead: number): Promise<void> {
  await pool.query('SELECT ensure_partitions($1)', [daysAhead]);
}

/** A node that looks less often than this makes an exact check instead (`hub/announcer`), so older rows have no reader. */
async function trimCommits(pool: Pool): Promise<void> {
  await pool.query(`DELETE FROM commits WHERE at < now() - interval '10 minutes'`);
}

export interface Upkeep {
  stop(): void;
}

/** Runs the upkeep now and then in the background. Errors go to `onError` and the next round tries again. */
export function startUpkeep(pool: Pool, daysAhead: number, onError: (error: unknown) => void): Upkeep {
  const hourly = setInterval(() => void ensurePartitions(pool, daysAhead).catch(onError), INTERVAL_MS);
  // Jitter, so that nodes that started together do not all delete together.
  const minutely = setInterval(() => void trimCommits(pool).catch(onError), 60_000 + Math.random() * 30_000);
  hourly.unref();
  minutely.unref();
  return {
    stop() {
      clearInterval(hourly);
      clearInterval(minutely);
    },
  };
}
