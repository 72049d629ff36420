/**
 * The backplane: Valkey or Redis on ElastiCache, encrypted in transit and at rest, reachable from the nodes only. Nodes
 * log in with the IAM role of their task, so there is no password to store or rotate.
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

/** Server parameters. */
const PARAMETERS: Readonly<Record<string, string>> = {
  // Never evicts tickets and presence silently: a full Redis answers with an error, which the server counts.
  'maxmemory-policy': 'noeviction',
  // Disconnects a node that reads too slowly, at 64 MiB of unread output or 16 MiB for 60 s. The node then catches up
  // from the history.
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
    // Another name in cluster mode: AWS cannot convert a group in place, so Terraform has to create a second one.
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
      // No snapshots: Redis holds no message, and an empty one only slows delivery for a moment.
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

  /** One user for all nodes, with the permissions of plan/redis-access.ts. */
  private users(environment: Environment): { user: ElasticacheUser; group: ElasticacheUserGroup } {
    const { engine, shards } = environment.redis;
    const name = nameOf(environment, 'server');
    const user = new ElasticacheUser(this, 'server', {
      userId: name,
      // IAM authentication requires the user name to equal the user id.
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

  /**
   * A user group of the Redis engine must contain a user "default"; this one is disabled. A Valkey group needs none.
   */
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
