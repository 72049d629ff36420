/** Which errors of Postgres a publisher may retry, and which of them are an outage. */
import { expect, test } from '@jest/globals';
import { historyError, isOutage } from '../../../../server/history/errors.ts';

const error = (code?: string) => Object.assign(new Error('from Postgres'), code !== undefined && { code });

test.each([
  ['a connection that broke', undefined, true],
  ['a server that shuts down', '57P01', true],
  ['a standby that was the primary', '25006', true],
  ['a password that has just been changed', '28P01', true],
  ['a deadlock', '40P01', false],
  ['a disk that is full', '53100', false],
])('%s: retryable, and whether the server is away', (_what, code, outage) => {
  expect(historyError(error(code)).code).toBe('unavailable');
  expect(isOutage(error(code))).toBe(outage);
});

test.each([
  ['a table that is missing', '42P01'],
  ['a value that is too long', '22001'],
])('%s: not retryable', (_what, code) => {
  expect(historyError(error(code)).code).toBe('internal');
  expect(isOutage(error(code))).toBe(false);
});
