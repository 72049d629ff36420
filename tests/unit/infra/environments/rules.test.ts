/**
 * Environments that cannot work are refused at synth, each problem with its own message. The shipped environments pass.
 */
import { expect, test } from '@jest/globals';
import { checkEnvironment, EnvironmentError, findEnvironment } from '../../../../infra/environments/rules.ts';
import { drainSeconds } from '../../../../infra/environments/timing.ts';
import { ENVIRONMENT_NAMES, type Environment } from '../../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../../infra/environments/values.ts';

const { prod, dev } = ENVIRONMENTS;

type Changes = {
  readonly [K in keyof Environment]?: Environment[K] extends object ? Partial<Environment[K]> : Environment[K];
};

function change(base: Environment, changes: Changes): Environment {
  const merged = Object.entries(changes).map(([key, value]) => {
    const old = base[key as keyof Environment];
    return [key, typeof value === 'object' && typeof old === 'object' ? { ...old, ...value } : value];
  });
  return { ...base, ...Object.fromEntries(merged) } as Environment;
}

test.each([...ENVIRONMENT_NAMES])('%s can be deployed, and a full task has time to drain', (name) => {
  const environment = findEnvironment(name);
  expect(checkEnvironment(environment)).toEqual([]);
  expect(drainSeconds(environment)).toBeLessThanOrEqual(environment.service.deregistrationDelay);
});

test('an unknown name is refused, with the names that exist', () => {
  expect(() => findEnvironment('production')).toThrow(EnvironmentError);
  expect(() => findEnvironment('production')).toThrow(/It does not exist\. Choose one of dev, staging, prod/);
});

const WRONG: readonly [string, Changes, RegExp][] = [
  ['a range without a prefix', { network: { cidr: '10.0.0.0' } }, /network\.cidr "10\.0\.0\.0" is not an IPv4 range/],
  ['a range with an octet above 255', { network: { cidr: '10.0.0.999/16' } }, /is not an IPv4 range/],
  [
    'a range that is too small',
    { network: { cidr: '10.0.0.0/24' } },
    /network\.cidr is a \/24; it must be between \/16 and \/20/,
  ],
  ['one NAT gateway for three zones', { network: { nat: 'one' } }, /network\.nat is "one"/],
  [
    'a maximum storage below the initial one',
    { postgres: { maxStorageGb: 10 } },
    /postgres\.maxStorageGb \(10\) is below/,
  ],
  ['no backups', { postgres: { backupDays: 0 } }, /postgres\.backupDays is 0; it must be from 1 to 35/],
  ['no standby', { postgres: { multiAz: false } }, /postgres\.multiAz is false/],
  ['an old PostgreSQL', { postgres: { version: '13.9' } }, /postgres\.version is 13\.9; the server needs 14/],
  ['too many replicas', { redis: { replicas: 6 } }, /redis\.replicas is 6; ElastiCache allows 5/],
  [
    'shards on a Redis version without sharded Pub/Sub',
    { redis: { shards: 3, version: '6.2' } },
    /redis\.shards is 3 and redis\.version is 6\.2/,
  ],
  [
    'a fraction of a shard',
    { redis: { shards: 1.5 } },
    /redis\.shards is 1\.5, with 2 replicas each; it must be a whole number/,
  ],
  ['too many shards', { redis: { shards: 200 } }, /ElastiCache allows 500 nodes in all/],
  ['no replica', { redis: { replicas: 0 } }, /redis\.replicas is 0/],
  ['a size that Fargate does not offer', { service: { cpu: 1_000 } }, /service\.cpu is 1000; Fargate offers/],
  [
    'memory that Fargate does not offer for the CPU',
    { service: { memoryMb: 1_024 } },
    /service\.memoryMb is 1024; with service\.cpu 2048/,
  ],
  [
    'a maximum of tasks below the minimum',
    { service: { maxTasks: 2 } },
    /service\.maxTasks \(2\) is below service\.minTasks \(3\)/,
  ],
  [
    'a zone without a task',
    { service: { minTasks: 2, scaleInBelowPercent: 60 } },
    /service\.minTasks \(2\) is below network\.zones \(3\)/,
  ],
  [
    'probes without a token while an issuer signs tokens',
    { service: { settings: { ...prod.service.settings, AUTH_JWKS_URL: 'https://issuer.example.com/keys' } } },
    /the probes cannot sign their own\. Set observability\.probeTokenArn/,
  ],
  [
    'a token for probes that sign their own tokens',
    { observability: { probeTokenArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:probe' } },
    /observability\.probeTokenArn is only for AUTH_JWKS_URL/,
  ],
  ['too little room above the target', { service: { maxConnections: 12_000 } }, /must be at least 1\.5 times/],
  [
    'an idle timeout below the heartbeat',
    { service: { idleTimeout: 40 } },
    /service\.idleTimeout is 40 s; it must exceed the heartbeat \(40 s\)/,
  ],
  ['an idle timeout above the limit of an ALB', { service: { idleTimeout: 5_000 } }, /at most 4000 s/],
  ['a deregistration delay above the limit of AWS', { service: { deregistrationDelay: 4_000 } }, /AWS allows 3600/],
  [
    'a drain that takes longer than the deregistration delay',
    { service: { drainRate: 50 } },
    /A drain takes 420 s .* longer than service\.deregistrationDelay \(240 s\)/,
  ],
  [
    'a stop that takes longer than Fargate allows',
    { service: { settings: { ...prod.service.settings, DRAIN_TIMEOUT_MS: '110000' } } },
    /stop of 125 s; Fargate kills a task after 120 s/,
  ],
  [
    'a setting that the server does not know',
    { service: { settings: { ...prod.service.settings, LOGLEVEL: 'info' } } },
    /the server does not know: LOGLEVEL/,
  ],
  [
    'a setting that the stacks set',
    { service: { settings: { ...prod.service.settings, DATABASE_URL: 'postgres://elsewhere' } } },
    /the stacks set themselves: DATABASE_URL/,
  ],
  [
    'more connections than PostgreSQL accepts',
    { service: { settings: {} } },
    /db\.m7g\.large has room for 720 connections of nodes; .*service\.maxTasks \(40\) .* with PG_POOL_MAX 10 open 800/,
  ],
  [
    'a scale-in that autoscaling would revert',
    { service: { scaleInBelowPercent: 80 } },
    /service\.scaleInBelowPercent is 80; with service\.minTasks 3 it must be at most 71/,
  ],
  [
    'a Grafana without allowed addresses',
    { observability: { grafana: { cidrs: [] } } },
    /observability\.grafana\.cidrs is empty/,
  ],
  [
    'the demo page in prod',
    { service: { settings: { ...prod.service.settings, DEMO_PAGE: 'true' } } },
    /the demo page is for development/,
  ],
  [
    'no domain',
    { domain: undefined as never, observability: { grafana: undefined } },
    /domain is missing: prod would have no certificate/,
  ],
  [
    'a host outside its zone',
    { domain: { zone: 'example.com', host: 'realtime.example.org' } },
    /is not in domain\.zone "example\.com"/,
  ],
];

test.each(WRONG)('%s is refused with its own message', (_what, changes, message) => {
  const problems = checkEnvironment(change(prod, changes));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(message);
});

test('all problems are reported at once', () => {
  const both = change(prod, { network: { cidr: '10.0.0.0/24' }, service: { maxTasks: 1 } });
  expect(checkEnvironment(both)).toHaveLength(2);
});

test('dev may lack what prod needs: a domain, a NAT gateway per zone, a standby', () => {
  expect(dev).toMatchObject({ domain: undefined, network: { nat: 'one' }, postgres: { multiAz: false } });
  expect(checkEnvironment(dev)).toEqual([]);
});
