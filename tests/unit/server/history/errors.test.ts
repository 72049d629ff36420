/** Which errors of Postgres a publisher may retry, and which of them are an outage. */
import { expect, test } from '@jest/globals';
import { DatabaseError } from 'pg';
import { AppError } from '../../../../server/errors.ts';
import { historyError, isOutage } from '../../../../server/history/errors.ts';

const answer = (code: string) => Object.assign(new DatabaseError('from Postgres', 0, 'error'), { code });
const broken = (code: string) => Object.assign(new Error('from Node.js'), { code });

test.each([
  // What the server answers.
  ['a connection that the server ends', answer('08006'), 'unavailable', true],
  ['a deadlock', answer('40P01'), 'unavailable', false],
  ['a disk that is full', answer('53100'), 'unavailable', false],
  ['too many connections', answer('53300'), 'unavailable', false],
  ['a lock that is not available', answer('55P03'), 'unavailable', false],
  ['a statement that took too long', answer('57014'), 'unavailable', false],
  ['a server that shuts down', answer('57P01'), 'unavailable', true],
  ['a server that starts', answer('57P03'), 'unavailable', true],
  ['an I/O error', answer('58030'), 'unavailable', false],
  ['a standby that was the primary', answer('25006'), 'unavailable', true],
  ['a password that has just been changed', answer('28P01'), 'unavailable', true],
  ['a role that may not', answer('42501'), 'internal', false],
  ['a table that is missing', answer('42P01'), 'internal', false],
  ['a value that is too long', answer('22001'), 'internal', false],
  ['an error without an SQLSTATE', answer(''), 'internal', false],
  // What Node.js and pg report of a connection.
  ['a peer that closed the connection', broken('EPIPE'), 'unavailable', true],
  ['a port on which nothing listens', broken('ECONNREFUSED'), 'unavailable', true],
  ['a connection that was reset', broken('ECONNRESET'), 'unavailable', true],
  ['a name that does not resolve', broken('ENOTFOUND'), 'unavailable', true],
  ['a connection that ended', new Error('Connection terminated unexpectedly'), 'unavailable', true],
  ['an answer that did not come', new Error('Query read timeout'), 'unavailable', true],
  // Errors of this program.
  ['a property of undefined', new TypeError('x is undefined'), 'internal', false],
  ['a value out of range', new RangeError('Invalid array length'), 'internal', false],
  ['JSON that does not parse', new SyntaxError('Unexpected token'), 'internal', false],
  ['something thrown that is no error', 'a text', 'internal', false],
  ['a full pool', new AppError('overloaded', 'All connections are in use.'), 'overloaded', false],
])('%s', (_what, error, code, outage) => {
  expect(historyError(error).code).toBe(code);
  expect(isOutage(error)).toBe(outage);
});
