/** What a destroyed deployment has left in the fake AWS. */
import type { FakeAws } from './fake-aws.ts';

/** Names of all resources of dev and prod that still exist in the fake AWS. */
export async function leftovers(aws: FakeAws): Promise<string[]> {
  const lists = await aws.ask(
    ['ec2', 'describe_vpcs', { Filters: [{ Name: 'is-default', Values: ['false'] }] }],
    ['ec2', 'describe_addresses'],
    ['ec2', 'describe_network_interfaces'],
    ['rds', 'describe_db_instances'],
    ['rds', 'describe_db_parameter_groups'],
    ['rds', 'describe_db_subnet_groups'],
    ['elasticache', 'describe_replication_groups'],
    ['elasticache', 'describe_cache_parameter_groups'],
    ['elasticache', 'describe_user_groups'],
    ['elbv2', 'describe_load_balancers'],
    ['elbv2', 'describe_target_groups'],
    ['ecs', 'describe_clusters', { clusters: ['holdfast-dev', 'holdfast-prod'] }],
    ['ecr', 'describe_repositories'],
    ['s3', 'list_buckets'],
    ['logs', 'describe_log_groups'],
    ['secretsmanager', 'list_secrets'],
    ['kms', 'list_aliases'],
    ['iam', 'list_roles'],
    ['cloudwatch', 'describe_alarms'],
    ['sns', 'list_topics'],
    ['amp', 'list_workspaces'],
    ['wafv2', 'list_web_acls', { Scope: 'REGIONAL' }],
    ['acm', 'list_certificates'],
    ['application-autoscaling', 'describe_scalable_targets', { ServiceNamespace: 'ecs' }],
  );
  const things = lists.flatMap((answer) => Object.values(answer).filter(Array.isArray).flat()) as unknown[];
  return (
    things
      .map((thing) => JSON.stringify(thing))
      // A cluster that was deleted is listed for a while, as INACTIVE; one that never was, as MISSING.
      .filter((text) => /holdfast-(dev|prod)/.test(text) && !/"(INACTIVE|MISSING)"/.test(text))
  );
}
