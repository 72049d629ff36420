/**
 * One database per test file, on the PostgreSQL that all integration tests share. Creates no tables: the server does.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** Environment variable with the URL of the shared server. Set it before the run to use another server. */
export const ADMIN_URL = 'HOLDFAST_TEST_DATABASE_URL';

export interface TestDatabase {
  readonly url: string;
  /** Closes all connections to the database and removes it. Safe to call twice. */
  drop(): Promise<void>;
}

/**
 * A new, empty database. Drop it in `afterAll`.
 * @throws Error when global-setup did not run or the server is gone
 */
export async function createDatabase(): Promise<TestDatabase> {
  const admin = process.env[ADMIN_URL];
  if (!admin)
    throw new Error(
      `${ADMIN_URL} is not set: put this test below tests/integration or tests/deep, for which PostgreSQL is started.`,
    );
  const name = `test_${randomBytes(8).toString('hex')}`;
  await execute(admin, `CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => execute(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
