/** Settings: defaults, values, cross-checks, and a report of every problem that repeats no secret. */
import { describe, expect, test } from '@jest/globals';
import { ConfigError, loadConfig, SETTINGS } from '../../../server/config.ts';

const REQUIRED = { DATABASE_URL: 'postgres://holdfast@db/holdfast', AUTH_JWT_SECRET: 's'.repeat(32) };

/** The problems of the required settings together with `env`; none when they are accepted. */
function problems(env: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig({ ...REQUIRED, ...env });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** The variable with which each problem begins. */
const named = (env: Record<string, string | undefined>) =>
  problems(env).map((problem) => /^[A-Z_]+/.exec(problem)?.[0]);

describe('loadConfig', () => {
  test('with only the required settings, all others have their default', () => {
    expect(loadConfig(REQUIRED)).toMatchObject({
      ...REQUIRED,
      PORT: 8080,
      REDIS_URL: '',
      ALLOWED_ORIGINS: [],
      AUTH_QUERY_TOKEN: false,
      DEMO_PAGE: false,
      TRACE_SAMPLE_RATIO: 0.01,
    });
  });

  test('texts are converted to the type of the setting', () => {
    const env = {
      PORT: '0',
      DEMO_PAGE: 'true',
      AUTH_QUERY_TOKEN: 'false',
      ALLOWED_ORIGINS: ' https://a.example,,https://b.example , ',
      TRACE_SAMPLE_RATIO: '0.5',
      REDIS_URL: 'rediss://user:password@cache:6380/1',
      DATABASE_URL: 'postgresql://db/holdfast?sslmode=verify-full',
    };
    expect(loadConfig({ ...REQUIRED, ...env })).toMatchObject({
      ...env,
      PORT: 0,
      DEMO_PAGE: true,
      AUTH_QUERY_TOKEN: false,
      ALLOWED_ORIGINS: ['https://a.example', 'https://b.example'],
      TRACE_SAMPLE_RATIO: 0.5,
    });
  });

  test('every wrong setting is reported, on one line each, with its bounds', () => {
    const env = {
      PORT: '65536',
      METRICS_PORT: '-1',
      WORKERS: '1.5',
      PG_POOL_MAX: 'many',
      HISTORY_BATCH_MAX: '0',
      TRACE_SAMPLE_RATIO: '1.01',
      LOG_LEVEL: 'loud',
      DEMO_PAGE: 'perhaps',
      NODE_ID: 'a b',
      REDIS_URL: 'cache:6379',
      AUTH_JWKS_URL: 'ftp://issuer/jwks',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
    };
    expect(named(env).sort()).toEqual(Object.keys(env).sort());
    for (const problem of problems(env)) expect(problem).not.toContain('\n');
    expect(problems({ PORT: '65536' })).toEqual(['PORT: must be from 0 to 65535, is 65536']);
    expect(problems({ WORKERS: '1.5' })).toEqual(['WORKERS: must be a whole number, is "1.5"']);
    expect(() => loadConfig({})).toThrow(/^Configuration is not valid:\n {2}DATABASE_URL is not set\. PostgreSQL/);
  });

  test('no message repeats a value that may be a secret', () => {
    const env = {
      DATABASE_URL: 'mysql://root:hunter2@db/holdfast',
      REDIS_URL: 'http://:hunter2@cache',
      AUTH_JWT_SECRET: 'hunter2',
      AUTH_TICKET_SECRET: 'hunter2',
      AUTH_JWKS_URL: 'user:hunter2@issuer',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://key:hunter2@collector',
    };
    expect(named(env).sort()).toEqual(Object.keys(env).sort());
    expect(problems(env).join()).not.toContain('hunter2');
  });

  test('the minimum length of a key is 32 bytes, not characters', () => {
    expect(named({ AUTH_JWT_SECRET: 'x'.repeat(31) })).toEqual(['AUTH_JWT_SECRET']);
    expect(problems({ AUTH_JWT_SECRET: 'ü'.repeat(16) })).toEqual([]);
  });

  test.each<[string, Record<string, string>, RegExp[]]>([
    ['no key for tokens', { AUTH_JWT_SECRET: '' }, [/^AUTH_JWT_SECRET or AUTH_JWKS_URL/]],
    [
      'two keys for tokens',
      { AUTH_JWKS_URL: 'https://issuer/jwks', AUTH_TICKET_SECRET: 't'.repeat(32) },
      [/^AUTH_JWT_SECRET and AUTH_JWKS_URL/],
    ],
    [
      'a JWKS without a key for tickets',
      { AUTH_JWT_SECRET: '', AUTH_JWKS_URL: 'https://issuer/jwks' },
      [/^AUTH_TICKET_SECRET/],
    ],
    [
      'a database password in two places',
      {
        DATABASE_URL: 'postgres://holdfast:x@db/holdfast',
        DATABASE_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf',
      },
      [/^DATABASE_URL has a password, and DATABASE_SECRET_ARN names another one/],
    ],
    [
      'an ARN of another AWS service',
      { DATABASE_SECRET_ARN: 'arn:aws:s3:::bucket' },
      [/^DATABASE_SECRET_ARN: must be an ARN/],
    ],
    [
      'certificate authorities for a connection that does not verify the server',
      { DATABASE_URL: 'postgres://holdfast@db/holdfast?sslmode=no-verify', DATABASE_CA: 'aws-rds' },
      [/^DATABASE_CA has no effect unless DATABASE_URL says sslmode=verify-full/],
    ],
    [
      'certificate authorities in two places',
      { DATABASE_URL: 'postgres://holdfast@db/holdfast?sslmode=verify-full&sslrootcert=x', DATABASE_CA: 'aws-rds' },
      [/^DATABASE_URL has the parameters sslrootcert/],
    ],
    [
      'an IAM login without TLS, replication group and region',
      { REDIS_URL: 'redis://cache', REDIS_IAM_USER: 'server' },
      [/^REDIS_IAM_USER and REDIS_IAM_CACHE/, /^REDIS_IAM_USER needs TLS/, /^AWS_REGION must be set/],
    ],
    [
      'an IAM login and a password',
      { REDIS_URL: 'rediss://:x@cache', REDIS_IAM_USER: 'server', REDIS_IAM_CACHE: 'cache', AWS_REGION: 'us-east-1' },
      [/^REDIS_URL has a password/],
    ],
    [
      'a Redis Cluster without an address',
      { REDIS_CLUSTER: 'true' },
      [/^REDIS_CLUSTER is true, but REDIS_URL names no server/],
    ],
    [
      'a database number with a Redis Cluster',
      { REDIS_CLUSTER: 'true', REDIS_URL: 'redis://cache/1' },
      [/^REDIS_URL names a database/],
    ],
    [
      'a prefix that puts all keys on one server of a Redis Cluster',
      { REDIS_CLUSTER: 'true', REDIS_URL: 'redis://cache', REDIS_PREFIX: '{holdfast}:' },
      [/^REDIS_PREFIX has braces/],
    ],
    ['an empty DATABASE_URL', { DATABASE_URL: '' }, [/^DATABASE_URL/]],
    [
      'as many lanes as connections',
      { HISTORY_LANES: '10', PG_POOL_MAX: '10' },
      [/^HISTORY_LANES \(10\).*PG_POOL_MAX/],
    ],
    [
      'a pong that may arrive after the next ping',
      { HEARTBEAT_INTERVAL_MS: '5000', HEARTBEAT_TIMEOUT_MS: '5000' },
      [/^HEARTBEAT_TIMEOUT_MS/],
    ],
    [
      'a canary timeout of less than two intervals',
      { REDIS_CANARY_INTERVAL_MS: '1000', REDIS_CANARY_TIMEOUT_MS: '1999' },
      [/^REDIS_CANARY_TIMEOUT_MS/],
    ],
    ['two problems at once', { DATABASE_URL: '', HISTORY_LANES: '20' }, [/^DATABASE_URL/, /^HISTORY_LANES/]],
  ])('contradictory settings are refused: %s', (_what, env, messages) => {
    const found = problems(env);
    expect(found).toEqual(messages.map((message) => expect.stringMatching(message)));
  });

  test('settings at the limit of a cross-check are accepted', () => {
    expect(problems({ HISTORY_LANES: '9', PG_POOL_MAX: '10' })).toEqual([]);
    expect(problems({ HEARTBEAT_INTERVAL_MS: '5000', HEARTBEAT_TIMEOUT_MS: '4999' })).toEqual([]);
    expect(problems({ REDIS_CANARY_INTERVAL_MS: '1000', REDIS_CANARY_TIMEOUT_MS: '2000' })).toEqual([]);
    const jwks = { AUTH_JWT_SECRET: '', AUTH_JWKS_URL: 'https://issuer/jwks', AUTH_TICKET_SECRET: 't'.repeat(32) };
    expect(problems(jwks)).toEqual([]);
  });

  test('every setting has a description of one line', () => {
    for (const [name, spec] of Object.entries(SETTINGS as Record<string, { desc?: string }>))
      expect([name, spec.desc]).toEqual([name, expect.stringMatching(/^[A-Z].{10,}\.$/)]);
  });
});
