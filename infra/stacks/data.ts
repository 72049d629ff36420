/** What keeps state: the history (Postgres) and the backplane (Redis), in subnets without a way out. */
import type { Construct } from 'constructs';
import { Postgres } from '../constructs/postgres.ts';
import { Redis } from '../constructs/redis.ts';
import type { Environment } from '../environments.ts';
import { EnvironmentStack } from './environment-stack.ts';
import type { NetworkStack } from './network.ts';

export class DataStack extends EnvironmentStack {
  readonly postgres: Postgres;
  readonly redis: Redis;

  constructor(scope: Construct, environment: Environment, network: NetworkStack) {
    super(scope, environment, 'data');
    const subnetIds = network.subnets.isolated.map((subnet) => subnet.id);
    const keyArn = network.key.arn;
    const { postgres, redis } = network.securityGroups;
    this.postgres = new Postgres(this, 'history', { environment, subnetIds, securityGroupId: postgres.id, keyArn });
    this.redis = new Redis(this, 'backplane', { environment, subnetIds, securityGroupId: redis.id, keyArn });
  }
}
