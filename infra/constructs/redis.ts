/**
 * The backplane: Valkey or Redis on ElastiCache, reachable from the servers only, encrypted on the way and at rest.
 * Servers log in with their task's role (IAM): there is no password to store, to rotate or to leak.
 */
import { ElasticacheParameterGroup } from '@cdktf/provider-aws/lib/elasticache-parameter-group/index.js';
import { ElasticacheReplicationGroup } from '@cdktf/provider-aws/lib/elasticache-replication-group/index.js';
import { ElasticacheSubnetGroup } from '@cdktf/provider-aws/lib/elasticache-subnet-group/index.js';
import { ElasticacheUser } from '@cdktf/provider-aws/lib/elasticache-user/index.js';
import { ElasticacheUserGroup } from '@cdktf/provider-aws/lib/elasticache-user-group/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment, RedisSettings } from '../environments/types.ts';
import { PORTS } from '../plan/ports.ts';
import { CLUSTER_ACCESS, SERVER_ACCESS } from '../plan/redis-access.ts';

export interface RedisProps {
  readonly environment: Environment;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly keyArn: string;
}

/** Each with its reason. */
const PARAMETERS: Readonly<Record<string, string>> = {
  // Tickets and presence must not be evicted silently: a full Redis answers with an error, which is counted.
  'maxmemory-policy': 'noeviction',
  // A node that reads too slowly is cut off and catches up from the history: 64 MB at once, or 16 MB for a minute.
  'client-output-buffer-limit-pubsub-hard-limit': String(64 * 1024 * 1024),
  'client-output-buffer-limit-pubsub-soft-limit': String(16 * 1024 * 1024),
  'client-output-buffer-limit-pubsub-soft-seconds': '60',
};

export class Redis extends Construct {
  readonly host: string;
  readonly replicationGroupId: string;
  readonly arn: string;
  readonly userName: string;
  readonly userArn: string;

  constructor(scope: Construct, id: string, props: RedisProps) {
    super(scope, id);
    const { environment, keyArn } = props;
    const { redis, protected: isProtected } = environment;
    // A name for each kind: AWS cannot turn one into the other, so that the new one has to be another.
    const name = nameOf(environment, redis.shards > 0 ? 'backplane-cluster' : 'backplane');
    const subnets = new ElasticacheSubnetGroup(this, 'subnets', { name, subnetIds: [...props.subnetIds] });
    const parameters = this.parameters(name, redis);
    const { user, group } = this.users(environment);
    const cluster = new ElasticacheReplicationGroup(this, 'group', {
      replicationGroupId: name,
      description: `Holdfast ${environment.name}: carries hints between nodes, keeps tickets and presence`,
      engine: redis.engine,
      engineVersion: redis.version,
      nodeType: redis.nodeType,
      ...(redis.shards > 0
        ? { numNodeGroups: redis.shards, replicasPerNodeGroup: redis.replicas }
        : { numCacheClusters: 1 + redis.replicas }),
      automaticFailoverEnabled: redis.replicas > 0 || redis.shards > 0,
      multiAzEnabled: redis.replicas > 0,
      port: PORTS.redis,
      subnetGroupName: subnets.name,
      securityGroupIds: [props.securityGroupId],
      parameterGroupName: parameters.name,
      atRestEncryptionEnabled: 'true',
      kmsKeyId: keyArn,
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      userGroupIds: [group.userGroupId],
      autoMinorVersionUpgrade: 'true',
      maintenanceWindow: 'sun:07:30-sun:08:30',
      // Nothing in it is worth a backup; a restart without it costs a moment of slower delivery.
      snapshotRetentionLimit: 0,
      applyImmediately: !isProtected,
    });
    this.host = redis.shards > 0 ? cluster.configurationEndpointAddress : cluster.primaryEndpointAddress;
    this.replicationGroupId = cluster.replicationGroupId;
    this.arn = cluster.arn;
    this.userName = user.userName;
    this.userArn = user.arn;
  }

  private parameters(name: string, { engine, version, shards }: RedisSettings): ElasticacheParameterGroup {
    const cluster = shards > 0 ? { 'cluster-enabled': 'yes' } : {};
    return new ElasticacheParameterGroup(this, 'parameters', {
      name: `${name}-${engine}${Number.parseInt(version, 10)}`,
      family: `${engine}${Number.parseInt(version, 10)}`,
      parameter: Object.entries({ ...PARAMETERS, ...cluster }).map(([parameter, value]) => ({
        name: parameter,
        value,
      })),
      lifecycle: { createBeforeDestroy: true },
    });
  }

  /** One user for the servers, who may do what they do and nothing else. */
  private users(environment: Environment): { user: ElasticacheUser; group: ElasticacheUserGroup } {
    const { engine, shards } = environment.redis;
    const name = nameOf(environment, 'server');
    const user = new ElasticacheUser(this, 'server', {
      userId: name,
      // With IAM the two have to be the same.
      userName: name,
      engine,
      accessString: shards > 0 ? CLUSTER_ACCESS : SERVER_ACCESS,
      authenticationMode: { type: 'iam' },
    });
    const group = new ElasticacheUserGroup(this, 'users', {
      userGroupId: nameOf(environment, 'users'),
      engine,
      userIds: [...this.defaultUsers(environment), user].map(({ userId }) => userId),
    });
    return { user, group };
  }

  /** A Redis group must have a user "default": one who may do nothing. A Valkey group needs none, and takes none without password. */
  private defaultUsers(environment: Environment): ElasticacheUser[] {
    if (environment.redis.engine === 'valkey') return [];
    const user = new ElasticacheUser(this, 'default', {
      userId: nameOf(environment, 'default'),
      userName: 'default',
      engine: 'redis',
      accessString: 'off -@all',
      authenticationMode: { type: 'no-password-required' },
    });
    return [user];
  }
}
