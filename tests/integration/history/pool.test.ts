/** The pool against a real PostgreSQL: connections that are all in use are no outage, a server that is not there is one. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AppError } from '../../../server/errors.ts';
import { Database, isOutage } from '../../../server/history/pool.ts';
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

test('who waits too long for a connection is told that all are in use', async () => {
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

test('a server that is not there is an outage', async () => {
  const pool = open('postgres://nobody@127.0.0.1:9/none');
  expect(isOutage(await failure(pool.query('SELECT 1')))).toBe(true);
  await pool.close();
});
