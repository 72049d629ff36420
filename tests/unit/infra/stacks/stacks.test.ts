/**
 * Properties of the stacks that security scanners do not check: protection, state, tags, outputs, drain, and settings
 * of the server.
 */
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
  test('in prod, every stack has resources that Terraform refuses to destroy, and all resources of those types are protected', () => {
    const prod = new Synthesised(ENVIRONMENTS.prod);
    const lasting = prod.resources.filter(({ type }) => type in LASTING);
    expect(lasting.filter(({ config }) => at(config, 'lifecycle.prevent_destroy') !== true)).toEqual([]);
    expect([...new Set(lasting.map(({ stack }) => stack))].sort()).toEqual([...STACKS].sort());
    expect([...new Set(lasting.map(({ type }) => type))].sort()).toEqual(Object.keys(LASTING).sort());
  });

  test('an unprotected environment can be destroyed', () => {
    const dev = new Synthesised(ENVIRONMENTS.dev);
    expect(dev.resources.filter(({ config }) => at(config, 'lifecycle.prevent_destroy') !== undefined)).toEqual([]);
  });
});

describe('state', () => {
  test('is local by default, and locked and encrypted in a bucket', () => {
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

test.each([...ENVIRONMENT_NAMES])('%s: all resources are tagged with environment and stack', (name) => {
  for (const [stack, { provider }] of new Synthesised(ENVIRONMENTS[name]).stacks)
    expect(at(provider, 'aws.default_tags.tags')).toMatchObject({
      Environment: name,
      Stack: stack,
      Service: 'holdfast',
    });
});

test('outputs keep the names that scripts read', () => {
  const outputs = [...new Synthesised(ENVIRONMENTS.prod).stacks].map(([stack, { output = {} }]) => [
    stack,
    // The others carry values from stack to stack.
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

  test('sets only settings that the server knows and that environments must not set', () => {
    const names = Object.keys(environment).filter((name) => name !== 'NODE_OPTIONS');
    expect(names.filter((name) => !(name in SETTINGS))).toEqual([]);
    expect(RESERVED_SETTINGS.filter((name) => !(name in SETTINGS))).toEqual([]);
    const own = Object.keys(service.settings);
    expect(names.filter((name) => !own.includes(name) && !RESERVED_SETTINGS.includes(name))).toEqual([]);
  });

  test('gets its limits, and may open enough files for them', () => {
    expect(environment).toMatchObject({
      MAX_CONNECTIONS: String(service.maxConnections),
      DRAIN_RATE: String(service.drainRate),
      ACCEPT_RATE: String(service.acceptRate),
    });
    expect(server.ulimits[0].softLimit).toBeGreaterThan(service.maxConnections + 1_000);
  });

  test('has a memory limit and a smaller heap, and leaves the rest of the task to the collector', () => {
    const [, collector] = JSON.parse(String(task.config.container_definitions));
    expect(server.memory + collector.memory).toBe(service.memoryMb);
    const [, heap] = /--max-old-space-size=(\d+)$/.exec(environment.NODE_OPTIONS) ?? [];
    expect(Number(heap)).toBeLessThan(0.7 * server.memory);
    expect(Number(heap)).toBeGreaterThan(0.5 * server.memory);
  });

  test('keeps idle connections longer than the load balancer does', () => {
    const balancer = all.one('aws_lb', 'balancer/balancer');
    expect(Number(environment.HTTP_KEEP_ALIVE_MS)).toBeGreaterThan(Number(balancer.config.idle_timeout) * 1_000);
  });

  test('has time to stop, and can notice its deregistration', () => {
    expect(server.stopTimeout).toBeLessThanOrEqual(120);
    expect(server.stopTimeout * 1_000).toBeGreaterThan(SETTINGS.DRAIN_TIMEOUT_MS.default as number);
    expect(environment.DEREGISTRATION_TARGET_GROUP_ARN).toContain('aws_lb_target_group.balancer_nodes');
    const role = all.one('data.aws_iam_policy_document', 'run/may');
    const actions = blocks(role.config, 'statement').flatMap((statement) => statement.actions as string[]);
    expect(actions).toContain('elasticloadbalancing:DescribeTargetHealth');
  });

  test('deployments start new tasks first, roll back on failure, and keep the number of tasks', () => {
    expect(all.one('aws_ecs_service', 'nodes/service').config).toMatchObject({
      deployment_minimum_healthy_percent: 100,
      deployment_maximum_percent: 200,
      deployment_circuit_breaker: { enable: true, rollback: true },
      availability_zone_rebalancing: 'DISABLED',
      lifecycle: { ignore_changes: ['desired_count'] },
    });
  });

  test('gets no key that signs tokens when an issuer signs them', () => {
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

test('the stickiness cookie expires before a refused client tries again', () => {
  const targets = new Synthesised(ENVIRONMENTS.prod).one('aws_lb_target_group', 'balancer/nodes');
  expect(at(targets.config, 'stickiness.enabled')).toBe(true);
  expect(Number(at(targets.config, 'stickiness.cookie_duration')) * 1_000).toBeLessThan(RETRY_FULL_MS);
});

test('NAT gateways are created after the internet gateway', () => {
  for (const { config } of new Synthesised(ENVIRONMENTS.prod).all('aws_nat_gateway'))
    expect(config.depends_on).toEqual([expect.stringMatching(/^aws_internet_gateway\./)]);
});

test('the database leaves a final snapshot and its backups, protected or not', () => {
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

  test('in cluster mode has shards, and a parameter group with cluster mode on', () => {
    const all = new Synthesised({ ...base, redis: { ...base.redis, shards: 3 } });
    expect(all.one(group).config).toMatchObject({ num_node_groups: 3, replicas_per_node_group: 2 });
    const parameters = blocks(all.one('aws_elasticache_parameter_group').config, 'parameter');
    expect(parameters).toContainEqual({ name: 'cluster-enabled', value: 'yes' });
    expect(
      all.all('aws_cloudwatch_metric_alarm').filter(({ path }) => path.startsWith('alarms/RedisEngineCpu')),
    ).toHaveLength(9);
  });

  test('only in cluster mode, nodes have REDIS_CLUSTER and may read the slot map', () => {
    for (const shards of [0, 3]) {
      const all = new Synthesised({ ...base, redis: { ...base.redis, shards } });
      const [server] = JSON.parse(
        String(all.one('aws_ecs_task_definition', 'nodes/task').config.container_definitions),
      ) as [{ environment: { name: string; value: string }[] }];
      expect(server.environment).toContainEqual({ name: 'REDIS_CLUSTER', value: String(shards > 0) });
      expect(String(all.one('aws_elasticache_user').config.access_string).includes('+cluster|slots')).toBe(shards > 0);
    }
  });

  test('is another replication group in cluster mode, because AWS cannot convert it', () => {
    const ids = [0, 3].map(
      (shards) => new Synthesised({ ...base, redis: { ...base.redis, shards } }).one(group).config.replication_group_id,
    );
    expect(new Set(ids).size).toBe(2);
  });

  test('disconnects a slow node before its output fills the memory', () => {
    const parameters = blocks(new Synthesised(base).one('aws_elasticache_parameter_group').config, 'parameter');
    const values = Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
    expect(Number(values['client-output-buffer-limit-pubsub-hard-limit'])).toBeGreaterThan(0);
    expect(values['maxmemory-policy']).toBe('noeviction');
  });

  test('of the Redis engine has a disabled default user; Valkey has none', () => {
    const users = (engine: 'redis' | 'valkey', version: string) =>
      new Synthesised({ ...base, redis: { ...base.redis, engine, version } }).all('aws_elasticache_user');
    expect(users('valkey', '8.0').map(({ config }) => config.user_name)).toEqual(['holdfast-prod-server']);
    expect(users('redis', '7.1').find(({ config }) => config.user_name === 'default')?.config).toMatchObject({
      access_string: 'off -@all',
    });
  });
});
