/** What the stacks promise beyond what the scanners ask: protection, state, tags, outputs, drain, and the server's own settings. */
import { describe, expect, test } from '@jest/globals';
import { LASTING } from '../../../../infra/aspects/prevent-destroy.ts';
import { RESERVED_SETTINGS } from '../../../../infra/environments/reserved-settings.ts';
import { ENVIRONMENT_NAMES } from '../../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../../infra/environments/values.ts';
import { SETTINGS } from '../../../../server/config.ts';
import { RETRY_FULL_MS } from '../../../../server/gateway/admission.ts';
import { STACKS } from '../../../support/fake-aws/deployment.ts';
import { at, blocks, Synthesised } from '../../../support/infra/synthesised.ts';

describe('protection', () => {
  test('in prod every stack has something that Terraform refuses to destroy, and everything of those kinds is', () => {
    const prod = new Synthesised(ENVIRONMENTS.prod);
    const lasting = prod.resources.filter(({ type }) => type in LASTING);
    expect(lasting.filter(({ config }) => at(config, 'lifecycle.prevent_destroy') !== true)).toEqual([]);
    expect([...new Set(lasting.map(({ stack }) => stack))].sort()).toEqual([...STACKS].sort());
    expect([...new Set(lasting.map(({ type }) => type))].sort()).toEqual(Object.keys(LASTING).sort());
  });

  test('an unprotected environment goes without asking', () => {
    const dev = new Synthesised(ENVIRONMENTS.dev);
    expect(dev.resources.filter(({ config }) => at(config, 'lifecycle.prevent_destroy') !== undefined)).toEqual([]);
  });
});

describe('state', () => {
  test('is local unless a bucket is named, and then locked and encrypted in it', () => {
    const { prod } = ENVIRONMENTS;
    for (const [, { terraform }] of new Synthesised(prod).stacks)
      expect(Object.keys(terraform.backend as object)).toEqual(['local']);
    const state = { backend: 's3', bucket: 'states', region: 'eu-west-1', kmsKeyId: 'alias/states' } as const;
    const stacks = new Synthesised({ ...prod, state }).stacks;
    for (const [name, { terraform }] of stacks)
      expect(at(terraform, 'backend.s3')).toEqual({
        bucket: 'states',
        key: `holdfast/prod/${name}.tfstate`,
        region: 'eu-west-1',
        encrypt: true,
        kms_key_id: 'alias/states',
        use_lockfile: true,
      });
    expect(stacks.size).toBe(4);
  });
});

test.each([...ENVIRONMENT_NAMES])('%s: everything is tagged with environment and stack', (name) => {
  for (const [stack, { provider }] of new Synthesised(ENVIRONMENTS[name]).stacks)
    expect(at(provider, 'aws.default_tags.tags')).toMatchObject({
      Environment: name,
      Stack: stack,
      Service: 'holdfast',
    });
});

test('outputs that scripts read have names that stay', () => {
  const outputs = [...new Synthesised(ENVIRONMENTS.prod).stacks].map(([stack, { output = {} }]) => [
    stack,
    // The others are what stacks tell each other.
    Object.keys(output).filter((name) => !name.startsWith('cross-stack-')),
  ]);
  expect(Object.fromEntries(outputs)).toMatchSnapshot();
});

describe('the node’s task', () => {
  const all = new Synthesised(ENVIRONMENTS.prod);
  const { service } = ENVIRONMENTS.prod;
  const task = all.one('aws_ecs_task_definition', 'nodes/task');
  const [server] = JSON.parse(String(task.config.container_definitions));
  const environment = Object.fromEntries(
    server.environment.map(({ name, value }: { name: string; value: string }) => [name, value]),
  );

  test('sets only what the server knows, and what only the stacks may set', () => {
    const names = Object.keys(environment).filter((name) => name !== 'NODE_OPTIONS');
    expect(names.filter((name) => !(name in SETTINGS))).toEqual([]);
    expect(RESERVED_SETTINGS.filter((name) => !(name in SETTINGS))).toEqual([]);
    const own = Object.keys(service.settings);
    expect(names.filter((name) => !own.includes(name) && !RESERVED_SETTINGS.includes(name))).toEqual([]);
  });

  test('is told its limits, and may open as many files', () => {
    expect(environment).toMatchObject({
      MAX_CONNECTIONS: String(service.maxConnections),
      DRAIN_RATE: String(service.drainRate),
      ACCEPT_RATE: String(service.acceptRate),
    });
    expect(server.ulimits[0].softLimit).toBeGreaterThan(service.maxConnections + 1_000);
  });

  test('knows the memory that ends it, and leaves the rest of the task to the collector', () => {
    const [, collector] = JSON.parse(String(task.config.container_definitions));
    expect(server.memory + collector.memory).toBe(service.memoryMb);
    const [, heap] = /--max-old-space-size=(\d+)$/.exec(environment.NODE_OPTIONS) ?? [];
    expect(Number(heap)).toBeLessThan(0.7 * server.memory);
    expect(Number(heap)).toBeGreaterThan(0.5 * server.memory);
  });

  test('keeps idle connections longer than the load balancer does, which would send requests into closed ones', () => {
    const balancer = all.one('aws_lb', 'balancer/balancer');
    expect(Number(environment.HTTP_KEEP_ALIVE_MS)).toBeGreaterThan(Number(balancer.config.idle_timeout) * 1_000);
  });

  test('has time to stop, and to drain before that', () => {
    expect(server.stopTimeout).toBeLessThanOrEqual(120);
    expect(server.stopTimeout * 1_000).toBeGreaterThan(SETTINGS.DRAIN_TIMEOUT_MS.default as number);
    expect(environment.DEREGISTRATION_TARGET_GROUP_ARN).toContain('aws_lb_target_group.balancer_nodes');
    const role = all.one('data.aws_iam_policy_document', 'run/may');
    const actions = blocks(role.config, 'statement').flatMap((statement) => statement.actions as string[]);
    expect(actions).toContain('elasticloadbalancing:DescribeTargetHealth');
  });

  test('is deployed new before old, taken back when it fails, and left alone otherwise', () => {
    expect(all.one('aws_ecs_service', 'nodes/service').config).toMatchObject({
      deployment_minimum_healthy_percent: 100,
      deployment_maximum_percent: 200,
      deployment_circuit_breaker: { enable: true, rollback: true },
      availability_zone_rebalancing: 'DISABLED',
      lifecycle: { ignore_changes: ['desired_count'] },
    });
  });

  test('knows no key that signs tokens where an issuer’s public keys are used', () => {
    const { prod } = ENVIRONMENTS;
    const settings = { ...prod.service.settings, AUTH_JWKS_URL: 'https://issuer.example.com/keys' };
    const probeTokenArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:probe';
    const observability = { ...prod.observability, probeTokenArn };
    const other = new Synthesised({ ...prod, service: { ...prod.service, settings }, observability });
    const [container] = JSON.parse(
      String(other.one('aws_ecs_task_definition', 'nodes/task').config.container_definitions),
    );
    expect(container.secrets.map(({ name }: { name: string }) => name)).toEqual(['AUTH_TICKET_SECRET']);
    const [probe] = JSON.parse(
      String(other.one('aws_ecs_task_definition', 'probes/task-1').config.container_definitions),
    );
    expect(probe.secrets).toEqual([{ name: 'PROBE_TOKEN', valueFrom: probeTokenArn }]);
  });
});

test('a client that is told to come back later is not brought back by its cookie', () => {
  const targets = new Synthesised(ENVIRONMENTS.prod).one('aws_lb_target_group', 'balancer/nodes');
  expect(at(targets.config, 'stickiness.enabled')).toBe(true);
  expect(Number(at(targets.config, 'stickiness.cookie_duration')) * 1_000).toBeLessThan(RETRY_FULL_MS);
});

test('no NAT gateway is asked for before the network reaches the internet', () => {
  for (const { config } of new Synthesised(ENVIRONMENTS.prod).all('aws_nat_gateway'))
    expect(config.depends_on).toEqual([expect.stringMatching(/^aws_internet_gateway\./)]);
});

test('the database that holds what people wrote leaves a snapshot and its backups, protected or not', () => {
  for (const environment of [ENVIRONMENTS.prod, { ...ENVIRONMENTS.prod, protected: false }])
    expect(new Synthesised(environment).one('aws_db_instance', 'history/instance').config).toMatchObject({
      skip_final_snapshot: false,
      final_snapshot_identifier: 'holdfast-prod-history-final',
      delete_automated_backups: false,
    });
});

describe('Redis', () => {
  const base = ENVIRONMENTS.prod;
  const group = 'aws_elasticache_replication_group';

  test('in cluster mode has shards, and a parameter group that says so', () => {
    const all = new Synthesised({ ...base, redis: { ...base.redis, shards: 3 } });
    expect(all.one(group).config).toMatchObject({ num_node_groups: 3, replicas_per_node_group: 2 });
    const parameters = blocks(all.one('aws_elasticache_parameter_group').config, 'parameter');
    expect(parameters).toContainEqual({ name: 'cluster-enabled', value: 'yes' });
    expect(
      all.all('aws_cloudwatch_metric_alarm').filter(({ path }) => path.startsWith('alarms/RedisEngineCpu')),
    ).toHaveLength(9);
  });

  test('in cluster mode, and only then, nodes are told and may ask which shard has what', () => {
    for (const shards of [0, 3]) {
      const all = new Synthesised({ ...base, redis: { ...base.redis, shards } });
      const [server] = JSON.parse(
        String(all.one('aws_ecs_task_definition', 'nodes/task').config.container_definitions),
      ) as [{ environment: { name: string; value: string }[] }];
      expect(server.environment).toContainEqual({ name: 'REDIS_CLUSTER', value: String(shards > 0) });
      expect(String(all.one('aws_elasticache_user').config.access_string).includes('+cluster|slots')).toBe(shards > 0);
    }
  });

  test('is another one in cluster mode, as AWS cannot turn one into the other', () => {
    const ids = [0, 3].map(
      (shards) => new Synthesised({ ...base, redis: { ...base.redis, shards } }).one(group).config.replication_group_id,
    );
    expect(new Set(ids).size).toBe(2);
  });

  test('a slow node’s subscription is cut before it fills the memory', () => {
    const parameters = blocks(new Synthesised(base).one('aws_elasticache_parameter_group').config, 'parameter');
    const values = Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
    expect(Number(values['client-output-buffer-limit-pubsub-hard-limit'])).toBeGreaterThan(0);
    expect(values['maxmemory-policy']).toBe('noeviction');
  });

  test('of the Redis engine has a default user who may do nothing; Valkey needs none', () => {
    const users = (engine: 'redis' | 'valkey', version: string) =>
      new Synthesised({ ...base, redis: { ...base.redis, engine, version } }).all('aws_elasticache_user');
    expect(users('valkey', '8.0').map(({ config }) => config.user_name)).toEqual(['holdfast-prod-server']);
    expect(users('redis', '7.1').find(({ config }) => config.user_name === 'default')?.config).toMatchObject({
      access_string: 'off -@all',
    });
  });
});
