/** Applies schema migrations at start. Several nodes may start at once: the migrator of Kysely takes an advisory lock. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kysely, type Migration, Migrator, PostgresDialect, sql } from 'kysely';
import { assetPath } from '../assets.ts';
import type { Pool } from './pool.ts';

async function readMigrations(): Promise<Record<string, Migration>> {
  const directory = assetPath('history/migrations');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  const entries = names.map(async (name): Promise<[string, Migration]> => {
    const statements = await readFile(join(directory, name), 'utf8');
    return [name.replace(/\.sql$/, ''), { up: async (db) => void (await sql.raw(statements).execute(db)) }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * Applies missing migrations in order and returns their names.
 * @throws the error of the migration that failed; the schema is then as it was before it
 */
export async function migrate(pool: Pool): Promise<string[]> {
  // Not destroyed after use, because that would end the pool of the caller.
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  const migrator = new Migrator({
    db,
    provider: { getMigrations: readMigrations },
    migrationTableName: 'schema_migrations',
    migrationLockTableName: 'schema_migrations_lock',
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error) throw error;
  return (results ?? []).map((result) => result.migrationName);
}
