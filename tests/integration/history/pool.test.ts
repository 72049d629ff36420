/** The pool against a real PostgreSQL: a full pool is no outage, an unreachable server is one. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AppError } from '../../../server/errors.ts';
import { isOutage } from '../../../server/history/errors.ts';
import { Database } from '../../../server/history/pool.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const open = (url: string) =>
  new Database({ url, max: 2, connectTimeoutMs: 300, statementTimeoutMs: 10_000, onIdleError: () => {} });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('a statement that waits too long for a connection fails with overloaded', async () => {
  const pool = open(database.url);
  const busy = [pool.query('SELECT pg_sleep(2)'), pool.query('SELECT pg_sleep(2)')];
  const error = await failure(pool.query('SELECT 1'));
  expect(error).toMatchObject({ code: 'overloaded', temporary: true });
  expect(error).toBeInstanceOf(AppError);
  expect(isOutage(error)).toBe(false);
  await Promise.all(busy);
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await pool.close();
});

test('a server that cannot be reached is an outage', async () => {
  const pool = open('postgres://holdfast@127.0.0.1:9/none');
  expect(isOutage(await failure(pool.query('SELECT 1')))).toBe(true);
  await pool.close();
});
