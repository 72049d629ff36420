/**
 * B1: `cdktf deploy '*'` and `destroy`, for dev and for prod, by the real CLI, Terraform and AWS provider against a fake
 * AWS. What came up is looked at with AWS's own client; a second plan is empty; nothing is left in the end.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { BOARDS, boardUid } from '../../../dashboards/lib/links.ts';
import { RULE_GROUPS } from '../../../dashboards/rules/index.ts';
import type { Environment } from '../../../infra/environments/types.ts';
import { ENVIRONMENTS } from '../../../infra/environments/values.ts';
import { Deployment, STACKS } from '../../support/fake-aws/deployment.ts';
import { FakeAws } from '../../support/fake-aws/fake-aws.ts';
import { leftovers } from '../../support/fake-aws/leftovers.ts';
import { describeWith } from '../../support/requirements.ts';

const MINUTES = 60_000;

describeWith(
  'moto',
  'terraform',
  'awsProvider',
)('cdktf deploy', () => {
  let aws: FakeAws;
  const deployments = new Map<Environment, Deployment>();
  const environments = [ENVIRONMENTS.dev, ENVIRONMENTS.prod];
  const deployment = (environment: Environment) => deployments.get(environment) as Deployment;
  const both = <T>(act: (deployment: Deployment) => Promise<T>) => Promise.all([...deployments.values()].map(act));

  beforeAll(async () => {
    aws = await FakeAws.start();
    // The hosted zone of the domain is not part of the stacks and must exist.
    await aws.ask(['route53', 'create_hosted_zone', { Name: 'example.com', CallerReference: 'test' }]);
    for (const environment of environments) deployments.set(environment, new Deployment(aws, environment.name));
  }, 2 * MINUTES);

  afterAll(async () => {
    for (const one of deployments.values()) one.remove();
    await aws?.stop();
  });

  test(
    'brings up all stacks',
    async () => {
      for (const { code, output } of await both((one) => one.deploy())) {
        if (code !== 0) throw new Error(output.slice(-5_000));
      }
    },
    20 * MINUTES,
  );

  describe.each(environments.map((environment) => [environment.name, environment] as const))(
    '%s',
    (name, environment) => {
      const { network, service, postgres, redis } = environment;
      const named = (what: string) => `holdfast-${name}-${what}`;
      const tagged = [{ Name: 'tag:Environment', Values: [name] }];
      /** The fake cannot filter every list by tags. */
      const isOurs = ({ Tags = [] }: { Tags?: { Key: string; Value: string }[] }) =>
        Tags.some(({ Key, Value }) => Key === 'Environment' && Value === name);

      test('a network over its zones, closed but for the load balancer', async () => {
        const [{ Subnets }, { NatGateways }, { SecurityGroupRules }, { SecurityGroups }, { FlowLogs }] = await aws.ask(
          ['ec2', 'describe_subnets', { Filters: tagged }],
          ['ec2', 'describe_nat_gateways'],
          ['ec2', 'describe_security_group_rules'],
          ['ec2', 'describe_security_groups', { Filters: tagged }],
          ['ec2', 'describe_flow_logs'],
        );
        const zones = new Set(Subnets.map(({ AvailabilityZone }: { AvailabilityZone: string }) => AvailabilityZone));
        expect(zones.size).toBe(network.zones);
        expect(Subnets).toHaveLength(3 * network.zones);
        expect(NatGateways.filter(isOurs)).toHaveLength(network.nat === 'one' ? 1 : network.zones);
        expect(FlowLogs.filter(isOurs)).toMatchObject([{ TrafficType: 'ALL' }]);
        const groups = new Map<string, string>(
          SecurityGroups.map(({ GroupId, GroupName }: Record<string, string>) => [GroupId, GroupName]),
        );
        const open = SecurityGroupRules.filter(
          (rule: { GroupId: string; IsEgress: boolean; CidrIpv4?: string }) =>
            groups.has(rule.GroupId) && !rule.IsEgress && rule.CidrIpv4 !== undefined,
        );
        expect(
          open.map((rule: { GroupId: string; FromPort: number }) => [groups.get(rule.GroupId), rule.FromPort]),
        ).toEqual(
          expect.arrayContaining([
            [named('balancer'), 443],
            [named('balancer'), 80],
          ]),
        );
        expect(open).toHaveLength(2);
        // The default security group of the VPC has no rules.
        const closed = SecurityGroups.find(({ GroupName }: Record<string, string>) => GroupName === 'default');
        expect(closed).toMatchObject({ IpPermissions: [], IpPermissionsEgress: [] });
      });

      test('a database and a Redis that are encrypted, and reachable by the servers only', async () => {
        const [{ DBInstances }, { ReplicationGroups }, { UserGroups }, { Users }, { Parameters }] = await aws.ask(
          ['rds', 'describe_db_instances', { DBInstanceIdentifier: named('history') }],
          ['elasticache', 'describe_replication_groups', { ReplicationGroupId: named('backplane') }],
          ['elasticache', 'describe_user_groups', { UserGroupId: named('users') }],
          ['elasticache', 'describe_users', { UserId: named('server') }],
          ['elasticache', 'describe_cache_parameters', { CacheParameterGroupName: `${named('backplane')}-valkey8` }],
        );
        expect(DBInstances[0]).toMatchObject({
          Engine: 'postgres',
          StorageEncrypted: true,
          MultiAZ: postgres.multiAz,
          PubliclyAccessible: false,
          DeletionProtection: environment.protected,
          BackupRetentionPeriod: postgres.backupDays,
          MasterUserSecret: { SecretStatus: 'active' },
        });
        expect(ReplicationGroups[0]).toMatchObject({
          TransitEncryptionEnabled: true,
          AtRestEncryptionEnabled: true,
          MultiAZ: redis.replicas > 0 ? 'enabled' : 'disabled',
          UserGroupIds: [named('users')],
        });
        expect(ReplicationGroups[0].MemberClusters).toHaveLength(1 + redis.replicas);
        expect(UserGroups[0].UserIds).toEqual([named('server')]);
        expect(Users[0].Authentication.Type).toBe('iam');
        const values = Object.fromEntries(
          Parameters.map((one: Record<string, string>) => [one.ParameterName, one.ParameterValue]),
        );
        expect(values).toMatchObject({ 'maxmemory-policy': 'noeviction' });
      });

      test('a load balancer with sticky WebSockets, TLS where there is a domain, and times that fit the server', async () => {
        const { url, target_group_arn } = await deployment(environment).outputs('service');
        const [{ LoadBalancers }] = await aws.ask(['elbv2', 'describe_load_balancers', { Names: [named('front')] }]);
        const LoadBalancerArn = LoadBalancers[0].LoadBalancerArn;
        const TargetGroupArn = target_group_arn?.value;
        const [{ Listeners }, { Attributes: balancer }, { Attributes: targets }, { TargetGroups }, { WebACL }] =
          await aws.ask(
            ['elbv2', 'describe_listeners', { LoadBalancerArn }],
            ['elbv2', 'describe_load_balancer_attributes', { LoadBalancerArn }],
            ['elbv2', 'describe_target_group_attributes', { TargetGroupArn }],
            ['elbv2', 'describe_target_groups', { TargetGroupArns: [TargetGroupArn] }],
            ['wafv2', 'get_web_acl_for_resource', { ResourceArn: LoadBalancerArn }],
          );
        const attributes = (list: { Key: string; Value: string }[]) =>
          Object.fromEntries(list.map(({ Key, Value }) => [Key, Value]));
        expect(attributes(balancer)).toMatchObject({
          'idle_timeout.timeout_seconds': String(service.idleTimeout),
          'routing.http.drop_invalid_header_fields.enabled': 'true',
          'deletion_protection.enabled': String(environment.protected),
          'access_logs.s3.enabled': 'true',
        });
        expect(attributes(targets)).toMatchObject({
          'deregistration_delay.timeout_seconds': String(service.deregistrationDelay),
          'stickiness.enabled': 'true',
          'stickiness.type': 'lb_cookie',
          'stickiness.lb_cookie.duration_seconds': '4',
        });
        expect(TargetGroups[0]).toMatchObject({ HealthCheckPath: '/healthz', TargetType: 'ip', Port: 8080 });
        expect(WebACL.Name).toBe(named('front'));
        const byPort = Object.fromEntries(Listeners.map((one: { Port: number }) => [one.Port, one]));
        if (!environment.domain) {
          expect(Object.keys(byPort)).toEqual(['80']);
          return;
        }
        expect(byPort[80].DefaultActions).toMatchObject([{ Type: 'redirect', RedirectConfig: { Protocol: 'HTTPS' } }]);
        expect(byPort[443]).toMatchObject({
          SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-2021-06',
          DefaultActions: [{ Type: 'forward', TargetGroupArn }],
        });
        expect(url?.value).toBe(`https://${environment.domain.host}`);
      });

      test('nodes without public addresses, with their secrets by reference and their collector beside them', async () => {
        const [{ services }, { taskDefinition }] = await aws.ask(
          ['ecs', 'describe_services', { cluster: `holdfast-${name}`, services: ['server'] }],
          ['ecs', 'describe_task_definition', { taskDefinition: named('server') }],
        );
        expect(services[0]).toMatchObject({
          desiredCount: service.minTasks,
          launchType: 'FARGATE',
          availabilityZoneRebalancing: 'DISABLED',
          networkConfiguration: { awsvpcConfiguration: { assignPublicIp: 'DISABLED' } },
        });
        const [server, collector] = taskDefinition.containerDefinitions;
        expect(server).toMatchObject({ name: 'server', readonlyRootFilesystem: true, essential: true });
        expect(server.image).toMatch(/\/holdfast-[a-z]+-server:1\.2\.3$/);
        expect(server.secrets.map((secret: { name: string }) => secret.name).sort()).toEqual([
          'AUTH_JWT_SECRET',
          'AUTH_TICKET_SECRET',
        ]);
        expect(collector).toMatchObject({ name: 'collector', essential: false });
        const config = JSON.parse(collector.environment[0].value);
        expect(config.exporters.prometheusremotewrite.endpoint).toMatch(
          /^https:\/\/aps-workspaces\..*\/workspaces\/ws-.*\/api\/v1\/remote_write$/,
        );
      });

      test('autoscaling that follows connections, and CPU beside them', async () => {
        const ResourceIds = [`service/holdfast-${name}/server`];
        const [{ ScalableTargets }, { ScalingPolicies }] = await aws.ask(
          ['application-autoscaling', 'describe_scalable_targets', { ServiceNamespace: 'ecs', ResourceIds }],
          [
            'application-autoscaling',
            'describe_scaling_policies',
            { ServiceNamespace: 'ecs', ResourceId: ResourceIds[0] },
          ],
        );
        expect(ScalableTargets).toMatchObject([{ MinCapacity: service.minTasks, MaxCapacity: service.maxTasks }]);
        const targets = Object.fromEntries(
          ScalingPolicies.map((one: { PolicyName: string; TargetTrackingScalingPolicyConfiguration: object }) => [
            one.PolicyName,
            one.TargetTrackingScalingPolicyConfiguration,
          ]),
        );
        expect(targets).toMatchObject({
          'connections-per-task': {
            TargetValue: service.targetConnections,
            CustomizedMetricSpecification: {
              Namespace: 'Holdfast',
              MetricName: 'holdfast_connections',
              Statistic: 'Average',
              Dimensions: expect.arrayContaining([
                { Name: 'ClusterName', Value: `holdfast-${name}` },
                { Name: 'ServiceName', Value: 'server' },
              ]),
            },
          },
          cpu: { TargetValue: service.targetCpuPercent, DisableScaleIn: true },
        });
        const fewer = ScalingPolicies.find((one: { PolicyName: string }) => one.PolicyName === 'fewer-tasks');
        const [{ MetricAlarms }] = await aws.ask(['cloudwatch', 'describe_alarms', { AlarmNames: [named('ScaleIn')] }]);
        expect(MetricAlarms).toMatchObject([{ AlarmActions: [fewer.PolicyARN] }]);
      });

      test('alarms, rules, an alert manager, and where they call', async () => {
        const { on_call_topic_arn } = await deployment(environment).outputs('observability');
        const { prometheus_workspace_id } = await deployment(environment).outputs('data');
        const workspaceId = prometheus_workspace_id?.value;
        const [{ MetricAlarms }, { alertManagerDefinition }, { ruleGroupsNamespaces }] = await aws.ask(
          ['cloudwatch', 'describe_alarms', { AlarmNamePrefix: named('') }],
          ['amp', 'describe_alert_manager_definition', { workspaceId }],
          ['amp', 'list_rule_groups_namespaces', { workspaceId }],
        );
        const alarms = MetricAlarms.map((alarm: { AlarmName: string }) => alarm.AlarmName.replace(named(''), ''));
        expect(alarms).toEqual(
          expect.arrayContaining([
            'BalancerErrors',
            'UnhealthyNodes',
            'ScalingMetricMissing',
            'PostgresStorageLow',
            'RedisEngineCpu1',
          ]),
        );
        for (const alarm of MetricAlarms)
          if (alarm.AlarmName !== named('ScaleIn')) expect(alarm.AlarmActions).toEqual([on_call_topic_arn?.value]);
        expect(alertManagerDefinition.data).toContain(on_call_topic_arn?.value);
        const groups = RULE_GROUPS.filter((group) => environment.observability.probes || group.name !== 'probes');
        expect(ruleGroupsNamespaces.map((one: { name: string }) => one.name).sort()).toEqual(
          groups.map((group) => group.name).sort(),
        );
        const loaded = await aws.ask(
          ...groups.map(
            (group) => ['amp', 'describe_rule_groups_namespace', { workspaceId, name: group.name }] as const,
          ),
        );
        groups.forEach((group, i) => {
          const [{ rules }] = parse(loaded[i].ruleGroupsNamespace.data).groups;
          expect(rules.flatMap((rule: { alert?: string }) => rule.alert ?? [])).toEqual(
            group.alerts.map(({ alert }) => alert),
          );
        });
      });

      test('keys that were drawn by AWS and are in no state', async () => {
        const [{ SecretString: token }, { SecretString: ticket }] = await aws.ask(
          ['secretsmanager', 'get_secret_value', { SecretId: `holdfast-${name}/token-key` }],
          ['secretsmanager', 'get_secret_value', { SecretId: `holdfast-${name}/ticket-key` }],
        );
        expect(token).toMatch(/^[A-Za-z0-9]{48}$/);
        expect(ticket).not.toBe(token);
        for (const stack of STACKS) {
          expect(deployment(environment).state(stack)).not.toContain(token);
          expect(deployment(environment).state(stack)).not.toContain(ticket);
        }
      });
    },
  );

  test('prod has its names in DNS, and Grafana with its data source', async () => {
    const [{ HostedZones }] = await aws.ask(['route53', 'list_hosted_zones']);
    const [{ ResourceRecordSets }, { services }, { Buckets }] = await aws.ask(
      ['route53', 'list_resource_record_sets', { HostedZoneId: HostedZones[0].Id }],
      ['ecs', 'describe_services', { cluster: 'holdfast-prod', services: ['grafana'] }],
      ['s3', 'list_buckets'],
    );
    const aliases = ResourceRecordSets.filter((one: { AliasTarget?: object }) => one.AliasTarget).map(
      (one: { Name: string }) => one.Name,
    );
    expect(aliases.sort()).toEqual(['grafana-realtime.example.com.', 'realtime.example.com.']);
    expect(services).toMatchObject([{ serviceName: 'grafana', desiredCount: 1 }]);
    const bucket = Buckets.find(({ Name }: { Name: string }) => Name.startsWith('holdfast-prod-grafana-'));
    const [{ Body }] = await aws.ask(['s3', 'get_object', { Bucket: bucket.Name, Key: 'datasources/prometheus.yaml' }]);
    expect(JSON.parse(Body).datasources).toMatchObject([
      { type: 'prometheus', url: expect.stringContaining('/workspaces/ws-') },
    ]);
    const boards = await aws.ask(
      ...BOARDS.map((name) => ['s3', 'get_object', { Bucket: bucket.Name, Key: `dashboards/${name}.json` }] as const),
    );
    expect(boards.map((board) => JSON.parse(board.Body).uid)).toEqual(BOARDS.map(boardUid));
    for (const board of boards) expect(board.Body).not.toMatch(/@[A-Z_]+@/);
  });

  test(
    'a second plan has no changes',
    async () => {
      for (const stack of STACKS)
        for (const { code, output } of await both((one) => one.plan(stack))) {
          if (code !== 0) throw new Error(`${stack}:\n${output.slice(-5_000)}`);
        }
    },
    10 * MINUTES,
  );

  test(
    'a stack can be deployed by itself, which is how a version is deployed and taken back',
    async () => {
      const { code, output } = await deployment(ENVIRONMENTS.dev).deploy('service');
      if (code !== 0) throw new Error(output.slice(-5_000));
    },
    10 * MINUTES,
  );

  test(
    'prod is not destroyed while it is protected',
    async () => {
      const prod = deployment(ENVIRONMENTS.prod);
      const { code } = await prod.destroy();
      expect(code).not.toBe(0);
      const [{ DBInstances }] = await aws.ask([
        'rds',
        'describe_db_instances',
        { DBInstanceIdentifier: 'holdfast-prod-history' },
      ]);
      expect(DBInstances).toHaveLength(1);
    },
    20 * MINUTES,
  );

  test(
    'destroy leaves nothing',
    async () => {
      const prod = deployment(ENVIRONMENTS.prod);
      prod.use('tests/support/fake-aws/unprotected-app.ts');
      const results = await Promise.all([
        deployment(ENVIRONMENTS.dev).destroy(),
        prod.deploy().then((deployed) => (deployed.code === 0 ? prod.destroy() : deployed)),
      ]);
      for (const { code, output } of results) if (code !== 0) throw new Error(output.slice(-5_000));
      expect(await leftovers(aws)).toEqual([]);
      // The data of prod can still be restored, in case the destruction was a mistake.
      const [{ DBSnapshots }] = await aws.ask(['rds', 'describe_db_snapshots']);
      const names = DBSnapshots.map((one: { DBSnapshotIdentifier: string }) => one.DBSnapshotIdentifier);
      expect(names.filter((name: string) => !name.startsWith('rds:'))).toEqual(['holdfast-prod-history-final']);
    },
    30 * MINUTES,
  );
});
