/** A node that stops closes its pool at once: a round of maintenance under way must not use the pool afterwards. */
import { expect, test } from '@jest/globals';
import { startMaintenance } from '../../../../server/history/maintenance.ts';
import type { Queryable } from '../../../../server/history/pool.ts';

test('a round under way ends with its current statement when the maintenance stops', async () => {
  const statements: string[] = [];
  let answer = () => {};
  const query = (statement: string) => {
    statements.push(statement);
    return new Promise((resolve) => {
      answer = () => resolve({ rows: [] });
    });
  };
  const errors: unknown[] = [];
  const maintenance = startMaintenance({
    database: { query } as unknown as Queryable,
    // Nothing listens on port 1, so a second step would report an error.
    connection: { url: 'postgres://127.0.0.1:1/none', connectTimeoutMs: 100 },
    intervalMs: 60_000,
    daysAhead: 1,
    retentionDays: 0,
    onSize: () => errors.push('size'),
    onDropped: () => errors.push('dropped'),
    onError: (_kind, error) => errors.push(error),
  });
  maintenance.stop();
  answer();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(statements).toEqual(['SELECT ensure_partitions($1)']);
  expect(errors).toEqual([]);
});
