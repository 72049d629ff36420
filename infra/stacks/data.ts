/**
 * The data stack: everything that keeps state and outlives deployments. Postgres (history), Redis (backplane), images,
 * signing keys, metrics. Both stores are in subnets without a route to the internet.
 */
import type { Construct } from 'constructs';
import { GeneratedSecret } from '../constructs/generated-secret.ts';
import { MetricsStore } from '../constructs/metrics-store.ts';
import { Postgres } from '../constructs/postgres.ts';
import { Redis } from '../constructs/redis.ts';
import { Registry } from '../constructs/registry.ts';
import type { Environment } from '../environments/types.ts';
import { EnvironmentStack } from './environment-stack.ts';
import type { NetworkStack } from './network.ts';

export class DataStack extends EnvironmentStack {
  readonly postgres: Postgres;
  readonly redis: Redis;
  readonly registry: Registry;
  readonly metrics: MetricsStore;
  readonly tokenKey: GeneratedSecret;
  readonly ticketKey: GeneratedSecret;

  constructor(scope: Construct, environment: Environment, network: NetworkStack) {
    super(scope, environment, 'data');
    const subnetIds = network.subnets.isolated.map((subnet) => subnet.id);
    const keyArn = network.key.arn;
    const { postgres, redis } = network.securityGroups;
    this.postgres = new Postgres(this, 'history', { environment, subnetIds, securityGroupId: postgres.id, keyArn });
    this.redis = new Redis(this, 'backplane', { environment, subnetIds, securityGroupId: redis.id, keyArn });
    this.registry = new Registry(this, 'registry', { environment, keyArn });
    this.metrics = new MetricsStore(this, 'metrics', { environment, keyArn });
    const secret = { environment, keyArn, version: environment.secretsVersion };
    this.tokenKey = new GeneratedSecret(this, 'token-key', {
      ...secret,
      what: 'token-key',
      description: 'AUTH_JWT_SECRET: signs tokens of clients. Read by nodes, probes and the issuer of tokens',
    });
    this.ticketKey = new GeneratedSecret(this, 'ticket-key', {
      ...secret,
      what: 'ticket-key',
      description: 'AUTH_TICKET_SECRET: signs tickets. Read by nodes only',
    });
    this.report({
      repository_url: this.registry.url,
      database_host: this.postgres.host,
      database_id: this.postgres.instanceId,
      database_secret_arn: this.postgres.secretArn,
      redis_host: this.redis.host,
      redis_id: this.redis.replicationGroupId,
      token_key_arn: this.tokenKey.arn,
      prometheus_endpoint: this.metrics.endpoint,
      prometheus_workspace_id: this.metrics.workspaceId,
    });
  }
}
