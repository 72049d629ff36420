/**
 * The service stack: load balancer, firewall, ECS cluster, nodes, autoscaling. Holds no state, so it can be destroyed
 * and created again.
 */
import type { Construct } from 'constructs';
import { Balancer } from '../constructs/balancer.ts';
import { Cluster } from '../constructs/cluster.ts';
import { Firewall } from '../constructs/firewall.ts';
import { LogGroup } from '../constructs/log-group.ts';
import { Scaling } from '../constructs/scaling.ts';
import { ServerService } from '../constructs/server-service.ts';
import { ExecutionRole, NodeRole } from '../constructs/task-roles.ts';
import { logName, nameOf, SERVER_SERVICE } from '../environments/names.ts';
import { stopSeconds } from '../environments/timing.ts';
import type { Environment } from '../environments/types.ts';
import { PORTS } from '../plan/ports.ts';
import { scalingPolicy } from '../plan/scaling/policy.ts';
import { collectorConfig } from '../plan/task/collector-config.ts';
import { COLLECTOR_MEMORY_MB, collectorContainer, nodeContainer } from '../plan/task/containers.ts';
import { METRICS_PORT, nodeMemoryMb, serverSettings } from '../plan/task/server-settings.ts';
import type { DataStack } from './data.ts';
import { EnvironmentStack } from './environment-stack.ts';
import type { NetworkStack } from './network.ts';

export interface ServiceInputs {
  readonly network: NetworkStack;
  readonly data: DataStack;
  /** Tag of the server image in the registry of the data stack. */
  readonly imageTag: string;
}

/** Open files of a node besides client connections: stores, HTTP requests, and files of Node.js itself. */
const FURTHER_FILES = 4_096;

export class ServiceStack extends EnvironmentStack {
  readonly balancer: Balancer;
  readonly firewall: Firewall;
  readonly cluster: Cluster;
  readonly image: string;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, environment: Environment, { network, data, imageTag }: ServiceInputs) {
    super(scope, environment, 'service');
    const keyArn = network.key.arn;
    const { logDays: days } = environment.observability;
    const privateSubnetIds = network.subnets.private.map((subnet) => subnet.id);
    this.image = `${data.registry.url}:${imageTag}`;
    this.balancer = new Balancer(this, 'balancer', {
      environment,
      vpcId: network.vpc.id,
      subnetIds: network.subnets.public.map((subnet) => subnet.id),
      securityGroupId: network.securityGroups.balancer.id,
    });
    this.firewall = new Firewall(this, 'firewall', { environment, balancerArn: this.balancer.arn, keyArn });
    this.cluster = new Cluster(this, 'cluster', { environment, keyArn });
    this.logGroup = new LogGroup(this, 'log', { name: logName(environment, 'server'), days, keyArn });
    const metricLog = new LogGroup(this, 'scaling-metric', {
      name: logName(environment, 'scaling-metric'),
      days: 7,
      keyArn,
    });

    const policy = scalingPolicy(environment);
    const secrets = this.secrets(data);
    const log = { group: this.logGroup.name, region: environment.region };
    const service = new ServerService(this, 'nodes', {
      environment,
      clusterArn: this.cluster.arn,
      subnetIds: privateSubnetIds,
      securityGroupId: network.securityGroups.server.id,
      targetGroupArn: this.balancer.targetGroupArn,
      listener: this.balancer.listener,
      executionRoleArn: new ExecutionRole(this, 'start', {
        environment,
        what: 'server-start',
        repositoryArn: data.registry.arn,
        logGroupArns: [this.logGroup.arn],
        secretArns: Object.values(secrets),
        keyArn,
      }).arn,
      taskRoleArn: new NodeRole(this, 'run', {
        environment,
        databaseSecretArn: data.postgres.secretArn,
        redisArn: data.redis.arn,
        redisUserArn: data.redis.userArn,
        metricsStoreArn: data.metrics.arn,
        metricLogGroupArn: metricLog.arn,
        keyArn,
      }).arn,
      containers: [
        nodeContainer({
          image: this.image,
          port: PORTS.server,
          environment: serverSettings(environment, this.built(data), PORTS.server),
          secrets,
          maxFiles: environment.service.maxConnections + FURTHER_FILES,
          stopTimeout: stopSeconds(environment),
          memoryMb: nodeMemoryMb(environment),
          log,
        }),
        collectorContainer(
          collectorConfig({
            region: environment.region,
            environment: environment.name,
            prometheusEndpoint: data.metrics.endpoint,
            job: 'holdfast',
            scaling: { metric: policy.metric, logGroup: metricLog.name },
            metricsPort: METRICS_PORT,
            memoryMb: COLLECTOR_MEMORY_MB,
          }),
          log,
        ),
      ],
    });
    new Scaling(this, 'scaling', {
      policy,
      clusterName: this.cluster.name,
      serviceName: service.name,
      alarmName: nameOf(environment, 'ScaleIn'),
    });
    this.report({
      url: this.balancer.url,
      websocket_url: `${environment.domain ? 'wss' : 'ws'}://${this.balancer.url.replace(/^https?:\/\//, '')}/ws`,
      cluster: this.cluster.name,
      service: SERVER_SERVICE,
      target_group_arn: this.balancer.targetGroupArn,
      log_group: this.logGroup.name,
      image: this.image,
    });
  }

  /** With AUTH_JWKS_URL, nodes check tokens with public keys and get no key that could sign one. */
  private secrets(data: DataStack): Record<string, string> {
    const tickets = { AUTH_TICKET_SECRET: data.ticketKey.arn };
    return this.environment.service.settings.AUTH_JWKS_URL
      ? tickets
      : { ...tickets, AUTH_JWT_SECRET: data.tokenKey.arn };
  }

  private built({ postgres, redis }: DataStack) {
    return {
      databaseHost: postgres.host,
      databaseName: postgres.databaseName,
      databaseUser: postgres.user,
      databaseSecretArn: postgres.secretArn,
      redisHost: redis.host,
      redisUser: redis.userName,
      redisName: redis.replicationGroupId,
      targetGroupArn: this.balancer.targetGroupArn,
    };
  }
}
