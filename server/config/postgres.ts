/** Settings of the Postgres connections: address, login, pool. */
import { makeValidator, str } from 'envalid';
import { integer, milliseconds, serverUrl, type Values } from '../env.ts';

const postgresUrl = serverUrl('postgres:', 'postgresql:');

const secretArn = makeValidator((input) => {
  if (input !== '' && !/^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:\S+$/.test(input))
    throw new TypeError(`must be an ARN of secretsmanager, is "${input}"`);
  return input;
});

const poolSize = integer(2, 500);

export const POSTGRES = {
  DATABASE_URL: postgresUrl({
    desc: 'PostgreSQL server and database of the history, as a URL. Required. Use sslmode=verify-full when the server is on another machine.',
  }),
  DATABASE_SECRET_ARN: secretArn({
    default: '',
    desc: 'AWS Secrets Manager secret with the password that RDS rotates. The node reads it when it opens a connection. Empty: the password is in DATABASE_URL.',
  }),
  DATABASE_CA: str({
    default: '',
    desc: 'Certificate authorities that may sign the Postgres server certificate: a PEM file, or aws-rds for those of Amazon RDS. Empty: those of the system.',
  }),
  PG_POOL_MAX: poolSize({
    default: 10,
    desc: 'Postgres connections of this node, opened at start and kept: one for each of HISTORY_LANES, the others for reads and maintenance. Raise it when reads wait for a connection.',
  }),
  PG_CONNECT_TIMEOUT_MS: milliseconds({
    default: 3_000,
    desc: 'Longest wait for a Postgres connection, in ms. The request then fails with a retryable error.',
  }),
  PG_STATEMENT_TIMEOUT_MS: milliseconds({
    default: 5_000,
    desc: 'Longest time of one statement, in ms. A publish then fails with a retryable error.',
  }),
};

/** What is wrong between these settings. */
export function postgresProblems({
  DATABASE_URL,
  DATABASE_SECRET_ARN,
  DATABASE_CA,
}: Values<typeof POSTGRES>): string[] {
  if (DATABASE_URL === '') return ['DATABASE_URL is empty. It names the PostgreSQL server of the history.'];
  if (DATABASE_SECRET_ARN === '' && DATABASE_CA === '') return [];
  const { password, searchParams } = new URL(DATABASE_URL);
  const problems: string[] = [];
  const others = [...searchParams.keys()].filter((name) => name !== 'sslmode');
  if (others.length > 0)
    problems.push(
      `DATABASE_URL has the parameters ${others.join(', ')}. With DATABASE_SECRET_ARN or DATABASE_CA only sslmode is allowed.`,
    );
  if (DATABASE_SECRET_ARN !== '' && password !== '')
    problems.push('DATABASE_URL has a password, and DATABASE_SECRET_ARN names another one. Remove one of them.');
  if (DATABASE_CA !== '' && searchParams.get('sslmode') !== 'verify-full')
    problems.push('DATABASE_CA has no effect unless DATABASE_URL says sslmode=verify-full.');
  return problems;
}
