/**
 * The rules of the scanners Checkov, Trivy and cdk-nag (AwsSolutions) for the resources of these stacks, as checks on the
 * synthesised stacks. One rule carries the ids of all scanners that require the same. Exceptions and their reasons are in
 * scanner-exceptions.ts.
 */
import { at, blocks, type Config, type Resource, type Synthesised } from './synthesised.ts';

export interface ScannerRule {
  /** `CKV_AWS_91`, and the ids of the same rule in other scanners. */
  readonly ids: string;
  readonly asks: string;
  readonly type: string;
  /** Selects resources of the type; default: all. */
  readonly about?: (resource: Resource) => boolean;
  readonly holds: (resource: Resource, all: Synthesised) => boolean;
}

const is = (path: string, ...wanted: readonly unknown[]) => {
  return ({ config }: Resource) => wanted.some((value) => String(at(config, path)) === String(value));
};
const isSet = (path: string) => {
  return ({ config }: Resource) => {
    const value = at(config, path);
    return value !== undefined && value !== null && value !== '';
  };
};
const atLeast = (path: string, least: number) => {
  return ({ config }: Resource) => Number(at(config, path)) >= least;
};
/** Whether a resource of this type refers to the checked one. */
const hasA = (type: string) => (resource: Resource, all: Synthesised) =>
  all.all(type).some(({ config }) => JSON.stringify(config).includes(resource.address));

const TLS_POLICIES = /^ELBSecurityPolicy-TLS13-1-(2-2021-06|2-Res-2021-06|3-2021-06)$/;
const redirectsToTls = ({ config }: Resource) => at(config, 'default_action.redirect.protocol') === 'HTTPS';

const BALANCER: readonly ScannerRule[] = [
  { ids: 'CKV_AWS_91 AwsSolutions-ELB2', asks: 'access logs', type: 'aws_lb', holds: is('access_logs.enabled', true) },
  {
    ids: 'CKV_AWS_131 AWS-0052',
    asks: 'invalid headers are dropped',
    type: 'aws_lb',
    holds: is('drop_invalid_header_fields', true),
  },
  {
    ids: 'CKV_AWS_150',
    asks: 'deletion protection',
    type: 'aws_lb',
    holds: is('enable_deletion_protection', true),
  },
  {
    ids: 'CKV_AWS_328',
    asks: 'desync mitigation',
    type: 'aws_lb',
    holds: is('desync_mitigation_mode', 'defensive', 'strictest'),
  },
  {
    ids: 'CKV2_AWS_20 AWS-0054',
    asks: 'plain HTTP is sent to HTTPS',
    type: 'aws_lb_listener',
    about: is('protocol', 'HTTP'),
    holds: redirectsToTls,
  },
  {
    ids: 'CKV2_AWS_28',
    asks: 'a web application firewall',
    type: 'aws_lb',
    holds: hasA('aws_wafv2_web_acl_association'),
  },
  {
    ids: 'CKV2_AWS_76 CKV_AWS_192',
    asks: 'a firewall that knows Log4j',
    type: 'aws_wafv2_web_acl',
    holds: ({ config }) => JSON.stringify(config).includes('AWSManagedRulesKnownBadInputsRuleSet'),
  },
  {
    ids: 'CKV2_AWS_31',
    asks: 'the firewall’s log',
    type: 'aws_wafv2_web_acl',
    holds: hasA('aws_wafv2_web_acl_logging_configuration'),
  },
  { ids: 'AWS-0053', asks: 'not open to the internet', type: 'aws_lb', holds: is('internal', true) },
  {
    ids: 'CKV_AWS_2',
    asks: 'TLS, or a redirect to it',
    type: 'aws_lb_listener',
    holds: (listener) => is('protocol', 'HTTPS')(listener) || redirectsToTls(listener),
  },
  {
    ids: 'CKV_AWS_103 CKV2_AWS_74 AWS-0047',
    asks: 'a TLS policy of this decade',
    type: 'aws_lb_listener',
    about: is('protocol', 'HTTPS'),
    holds: ({ config }) => TLS_POLICIES.test(String(at(config, 'ssl_policy'))),
  },
  { ids: 'CKV_AWS_261', asks: 'a health check', type: 'aws_lb_target_group', holds: isSet('health_check.path') },
  { ids: 'CKV_AWS_378', asks: 'TLS to the targets', type: 'aws_lb_target_group', holds: is('protocol', 'HTTPS') },
  {
    ids: 'CKV_AWS_233',
    asks: 'a new certificate before the old one goes',
    type: 'aws_acm_certificate',
    holds: is('lifecycle.create_before_destroy', true),
  },
  {
    ids: 'CKV_AWS_234',
    asks: 'certificate transparency',
    type: 'aws_acm_certificate',
    holds: (certificate) => !is('options.certificate_transparency_logging_preference', 'DISABLED')(certificate),
  },
  {
    ids: 'CKV2_AWS_71',
    asks: 'no wildcard certificate',
    type: 'aws_acm_certificate',
    holds: ({ config }) => !JSON.stringify(config).includes('*.'),
  },
];

interface Container {
  readonly [name: string]: unknown;
  readonly environment?: readonly { readonly name: string; readonly value: string }[];
}

const containers = ({ config }: Resource) => JSON.parse(String(at(config, 'container_definitions'))) as Container[];
const everyContainer = (holds: (container: Container) => boolean) => (task: Resource) => {
  const all = containers(task);
  return all.length > 0 && all.every(holds);
};
/** A name that sounds like a secret, and a value that is not just the place of one. */
const carriesSecret = ({ environment = [] }: Container) =>
  environment.some(
    ({ name, value }) => /SECRET|PASSWORD|TOKEN|PRIVATE/.test(name) && !/arn/i.test(name) && value !== '',
  );

const TASKS: readonly ScannerRule[] = [
  {
    ids: 'CKV_AWS_65 AWS-0034 AwsSolutions-ECS4',
    asks: 'Container Insights',
    type: 'aws_ecs_cluster',
    holds: ({ config }) =>
      blocks(config, 'setting').some(({ name, value }) => name === 'containerInsights' && value !== 'disabled'),
  },
  {
    ids: 'CKV_AWS_223',
    asks: 'a log of commands run in tasks',
    type: 'aws_ecs_cluster',
    holds: is('configuration.execute_command_configuration.logging', 'OVERRIDE'),
  },
  {
    ids: 'CKV_AWS_224',
    asks: 'that log encrypted',
    type: 'aws_ecs_cluster',
    holds: is('configuration.execute_command_configuration.log_configuration.cloud_watch_encryption_enabled', true),
  },
  {
    ids: 'CKV_AWS_332',
    asks: 'the latest platform',
    type: 'aws_ecs_service',
    holds: is('platform_version', undefined, 'LATEST'),
  },
  {
    ids: 'CKV_AWS_333',
    asks: 'no public addresses',
    type: 'aws_ecs_service',
    holds: is('network_configuration.assign_public_ip', false),
  },
  {
    ids: 'CKV_AWS_97 AWS-0035',
    asks: 'TLS to file systems',
    type: 'aws_ecs_task_definition',
    holds: ({ config }) => !JSON.stringify(config).includes('efs_volume'),
  },
  {
    ids: 'CKV_AWS_249',
    asks: 'a role for the task besides the one that starts it',
    type: 'aws_ecs_task_definition',
    holds: ({ config }) => isDifferent(at(config, 'execution_role_arn'), at(config, 'task_role_arn')),
  },
  {
    ids: 'CKV_AWS_334',
    asks: 'no privileged container',
    type: 'aws_ecs_task_definition',
    holds: everyContainer(({ privileged }) => privileged === false),
  },
  {
    ids: 'CKV_AWS_335',
    asks: 'no processes of the host',
    type: 'aws_ecs_task_definition',
    holds: is('pid_mode', undefined),
  },
  {
    ids: 'CKV_AWS_336',
    asks: 'a read-only root file system',
    type: 'aws_ecs_task_definition',
    holds: everyContainer(({ readonlyRootFilesystem }) => readonlyRootFilesystem === true),
  },
  {
    ids: 'AWS-0036 AwsSolutions-ECS2',
    asks: 'no secret in plain environment variables',
    type: 'aws_ecs_task_definition',
    holds: everyContainer((container) => !carriesSecret(container)),
  },
  {
    ids: 'AwsSolutions-ECS7',
    asks: 'a log of every container',
    type: 'aws_ecs_task_definition',
    holds: everyContainer(({ logConfiguration }) => logConfiguration !== undefined),
  },
  {
    ids: 'CKV_AWS_51 AWS-0031',
    asks: 'immutable tags',
    type: 'aws_ecr_repository',
    holds: is('image_tag_mutability', 'IMMUTABLE'),
  },
  {
    ids: 'CKV_AWS_136 AWS-0033',
    asks: 'images encrypted with a key of ours',
    type: 'aws_ecr_repository',
    holds: is('encryption_configuration.encryption_type', 'KMS'),
  },
  {
    ids: 'CKV_AWS_163 AWS-0030',
    asks: 'images scanned',
    type: 'aws_ecr_repository',
    holds: is('image_scanning_configuration.scan_on_push', true),
  },
];

const isDifferent = (a: unknown, b: unknown) => a !== undefined && b !== undefined && a !== b;

const cache = 'aws_elasticache_replication_group';
const database = 'aws_db_instance';
const parameter =
  (name: string, ...wanted: readonly string[]) =>
  (_: Resource, all: Synthesised) =>
    blocks(all.one('aws_db_parameter_group').config, 'parameter').some(
      (one) => one.name === name && (wanted.length === 0 || wanted.includes(String(one.value))),
    );

const STORES: readonly ScannerRule[] = [
  {
    ids: 'CKV_AWS_29 AWS-0045 AwsSolutions-AEC3',
    asks: 'encryption at rest',
    type: cache,
    holds: is('at_rest_encryption_enabled', true),
  },
  { ids: 'CKV_AWS_30 AWS-0051', asks: 'TLS', type: cache, holds: is('transit_encryption_enabled', true) },
  {
    ids: 'CKV_AWS_31 AwsSolutions-AEC6',
    asks: 'TLS and authentication',
    type: cache,
    holds: (group) => is('transit_encryption_enabled', true)(group) && isSet('user_group_ids')(group),
  },
  { ids: 'CKV_AWS_191', asks: 'a key of ours', type: cache, holds: isSet('kms_key_id') },
  { ids: 'CKV2_AWS_50', asks: 'automatic failover', type: cache, holds: is('automatic_failover_enabled', true) },
  { ids: 'AwsSolutions-AEC4', asks: 'several zones', type: cache, holds: is('multi_az_enabled', true) },
  { ids: 'AwsSolutions-AEC1', asks: 'in a VPC', type: cache, holds: isSet('subnet_group_name') },
  {
    ids: 'AwsSolutions-AEC5',
    asks: 'another port than the default',
    type: cache,
    holds: (group) => !is('port', 6379)(group),
  },
  { ids: 'CKV_AWS_16 AWS-0080', asks: 'encryption at rest', type: database, holds: is('storage_encrypted', true) },
  { ids: 'CKV_AWS_17 AWS-0180', asks: 'not public', type: database, holds: is('publicly_accessible', false) },
  { ids: 'CKV_AWS_118', asks: 'enhanced monitoring', type: database, holds: atLeast('monitoring_interval', 1) },
  { ids: 'CKV_AWS_129', asks: 'logs exported', type: database, holds: isSet('enabled_cloudwatch_logs_exports') },
  {
    ids: 'CKV_AWS_133 AWS-0077 AwsSolutions-RDS13',
    asks: 'backups of two days or more',
    type: database,
    holds: atLeast('backup_retention_period', 2),
  },
  { ids: 'CKV_AWS_157 AwsSolutions-RDS3', asks: 'several zones', type: database, holds: is('multi_az', true) },
  {
    ids: 'CKV_AWS_161 AWS-0176',
    asks: 'IAM authentication possible',
    type: database,
    holds: is('iam_database_authentication_enabled', true),
  },
  { ids: 'CKV_AWS_211', asks: 'a CA of today', type: database, holds: is('ca_cert_identifier', 'rds-ca-rsa2048-g1') },
  {
    ids: 'CKV_AWS_226',
    asks: 'minor upgrades by themselves',
    type: database,
    holds: is('auto_minor_version_upgrade', true),
  },
  {
    ids: 'CKV_AWS_250',
    asks: 'PostgreSQL 13.3 or later',
    type: database,
    holds: ({ config }) => Number.parseFloat(String(at(config, 'engine_version'))) >= 13.3,
  },
  {
    ids: 'CKV_AWS_293 AWS-0177 AwsSolutions-RDS10',
    asks: 'deletion protection',
    type: database,
    holds: is('deletion_protection', true),
  },
  {
    ids: 'CKV_AWS_353 AWS-0133',
    asks: 'Performance Insights',
    type: database,
    holds: is('performance_insights_enabled', true),
  },
  {
    ids: 'CKV_AWS_354 AWS-0078',
    asks: 'Performance Insights with a key of ours',
    type: database,
    holds: isSet('performance_insights_kms_key_id'),
  },
  {
    ids: 'CKV2_AWS_30',
    asks: 'slow statements logged',
    type: database,
    holds: parameter('log_min_duration_statement'),
  },
  { ids: 'CKV2_AWS_60', asks: 'tags on snapshots', type: database, holds: is('copy_tags_to_snapshot', true) },
  { ids: 'CKV2_AWS_69', asks: 'TLS forced', type: database, holds: parameter('rds.force_ssl', '1') },
  {
    ids: 'AwsSolutions-RDS11',
    asks: 'another port than the default',
    type: database,
    holds: (one) => !is('port', 5432)(one),
  },
];

const ingress = 'aws_vpc_security_group_ingress_rule';
const egress = 'aws_vpc_security_group_egress_rule';
const fromAnywhere = is('cidr_ipv4', '0.0.0.0/0');

const NETWORK: readonly ScannerRule[] = [
  { ids: 'CKV_AWS_23 AWS-0099', asks: 'a description', type: 'aws_security_group', holds: isSet('description') },
  { ids: 'CKV_AWS_23 AWS-0124', asks: 'a description', type: ingress, holds: isSet('description') },
  { ids: 'CKV_AWS_23 AWS-0124', asks: 'a description', type: egress, holds: isSet('description') },
  {
    ids: 'CKV_AWS_24 CKV_AWS_25 CKV_AWS_260 CKV_AWS_277 AWS-0107 AwsSolutions-EC23',
    asks: 'nothing open to the world',
    type: ingress,
    holds: (rule) => !fromAnywhere(rule),
  },
  {
    ids: 'CKV_AWS_382',
    asks: 'no way out for everything',
    type: egress,
    holds: (rule) => !is('ip_protocol', '-1')(rule),
  },
  { ids: 'AWS-0104', asks: 'no way out to everywhere', type: egress, holds: (rule) => !fromAnywhere(rule) },
  {
    ids: 'CKV2_AWS_5',
    asks: 'used by something',
    type: 'aws_security_group',
    // Other stacks refer to it by an output that is named after it.
    holds: ({ address }, all) => {
      const output = `cross-stack-output-${address.replace('.', '')}`;
      return all.resources.some(({ type, config }) => {
        const text = JSON.stringify(config);
        return !type.includes('security_group') && (text.includes(address) || text.includes(output));
      });
    },
  },
  { ids: 'CKV2_AWS_11 AWS-0178 AwsSolutions-VPC7', asks: 'flow logs', type: 'aws_vpc', holds: hasA('aws_flow_log') },
  {
    ids: 'CKV2_AWS_12 AWS-0173',
    asks: 'an empty default security group',
    type: 'aws_default_security_group',
    holds: ({ config }) => at(config, 'ingress') === undefined && at(config, 'egress') === undefined,
  },
  {
    ids: 'CKV_AWS_130 AWS-0164',
    asks: 'no public address by default',
    type: 'aws_subnet',
    holds: is('map_public_ip_on_launch', false),
  },
];

const KEEPING: readonly ScannerRule[] = [
  {
    ids: 'CKV_AWS_66',
    asks: 'forgets after a set time',
    type: 'aws_cloudwatch_log_group',
    holds: atLeast('retention_in_days', 1),
  },
  { ids: 'CKV_AWS_158 AWS-0017', asks: 'a key of ours', type: 'aws_cloudwatch_log_group', holds: isSet('kms_key_id') },
  {
    ids: 'CKV_AWS_338',
    asks: 'kept for a year',
    type: 'aws_cloudwatch_log_group',
    holds: atLeast('retention_in_days', 365),
  },
  {
    ids: 'CKV_AWS_319',
    asks: 'alarms that notify a topic',
    type: 'aws_cloudwatch_metric_alarm',
    holds: (alarm) => is('actions_enabled', true)(alarm) && isSet('alarm_actions')(alarm),
  },
  {
    ids: 'CKV_AWS_18 AWS-0089 AwsSolutions-S1',
    asks: 'access logs of the bucket',
    type: 'aws_s3_bucket',
    holds: hasA('aws_s3_bucket_logging'),
  },
  {
    ids: 'CKV_AWS_19 AWS-0088',
    asks: 'encryption',
    type: 'aws_s3_bucket',
    holds: hasA('aws_s3_bucket_server_side_encryption_configuration'),
  },
  { ids: 'CKV_AWS_21 AWS-0090', asks: 'versions', type: 'aws_s3_bucket', holds: hasA('aws_s3_bucket_versioning') },
  {
    ids: 'CKV_AWS_144',
    asks: 'a copy in another region',
    type: 'aws_s3_bucket',
    holds: hasA('aws_s3_bucket_replication_configuration'),
  },
  {
    ids: 'CKV_AWS_145 AWS-0132',
    asks: 'a key of ours',
    type: 'aws_s3_bucket_server_side_encryption_configuration',
    holds: is('rule.apply_server_side_encryption_by_default.sse_algorithm', 'aws:kms'),
  },
  {
    ids: 'CKV2_AWS_6 CKV_AWS_20 CKV_AWS_57 AWS-0086',
    asks: 'no public access',
    type: 'aws_s3_bucket',
    holds: hasA('aws_s3_bucket_public_access_block'),
  },
  {
    ids: 'CKV_AWS_53 CKV_AWS_54 CKV_AWS_55 CKV_AWS_56 AWS-0087 AWS-0091 AWS-0093',
    asks: 'no public access in any of four ways',
    type: 'aws_s3_bucket_public_access_block',
    holds: (block) =>
      ['block_public_acls', 'block_public_policy', 'ignore_public_acls', 'restrict_public_buckets'].every((name) =>
        is(name, true)(block),
      ),
  },
  {
    ids: 'CKV2_AWS_61',
    asks: 'a life cycle',
    type: 'aws_s3_bucket',
    holds: hasA('aws_s3_bucket_lifecycle_configuration'),
  },
  {
    ids: 'CKV2_AWS_62',
    asks: 'events of the bucket',
    type: 'aws_s3_bucket',
    holds: hasA('aws_s3_bucket_notification'),
  },
  {
    ids: 'AwsSolutions-S10',
    asks: 'TLS only',
    type: 'aws_s3_bucket',
    holds: (bucket, all) => policyOf(bucket, all, 'aws_s3_bucket_policy').some(deniesPlain),
  },
  {
    ids: 'CKV_AWS_7 AWS-0065 AwsSolutions-KMS5',
    asks: 'rotation',
    type: 'aws_kms_key',
    holds: is('enable_key_rotation', true),
  },
  { ids: 'CKV_AWS_227', asks: 'enabled', type: 'aws_kms_key', holds: (key) => !is('is_enabled', false)(key) },
  { ids: 'CKV2_AWS_64', asks: 'a policy of its own', type: 'aws_kms_key', holds: isSet('policy') },
  { ids: 'CKV_AWS_149 AWS-0098', asks: 'a key of ours', type: 'aws_secretsmanager_secret', holds: isSet('kms_key_id') },
  {
    ids: 'CKV2_AWS_57 AwsSolutions-SMG4',
    asks: 'rotation by itself',
    type: 'aws_secretsmanager_secret',
    holds: hasA('aws_secretsmanager_secret_rotation'),
  },
  {
    ids: 'CKV_AWS_26 AWS-0095 AWS-0136',
    asks: 'a key of ours',
    type: 'aws_sns_topic',
    holds: isSet('kms_master_key_id'),
  },
  {
    ids: 'AwsSolutions-SNS3',
    asks: 'TLS only',
    type: 'aws_sns_topic',
    holds: (topic, all) => policyOf(topic, all, 'aws_sns_topic_policy').some(deniesPlain),
  },
];

/** Statements of the policy document that a resource's policy refers to. */
function policyOf({ address }: Resource, all: Synthesised, type: string): Config[] {
  const policies = all.all(type).filter(({ config }) => JSON.stringify(config).includes(address));
  return policies.flatMap(({ config }) =>
    all
      .all('data.aws_iam_policy_document')
      .filter((document) => JSON.stringify(config).includes(document.address))
      .flatMap((document) => blocks(document.config, 'statement')),
  );
}

const deniesPlain = (statement: Config) =>
  statement.effect === 'Deny' && at(statement, 'condition.variable') === 'aws:SecureTransport';

const document = 'data.aws_iam_policy_document';
const strings = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
const statements = ({ config }: Resource) => blocks(config, 'statement').filter(({ effect }) => effect !== 'Deny');
const isTrust = (statement: Config) => strings(statement.actions).includes('sts:AssumeRole');
/** Where `*` is the only resource that AWS takes: the login to ECR, target health, X-Ray. */
const WITHOUT_RESOURCE = /^(ecr:GetAuthorizationToken|elasticloadbalancing:DescribeTargetHealth|xray:Put\w+)$/;

const PERMISSIONS: readonly ScannerRule[] = [
  {
    ids: 'CKV_AWS_60 CKV_AWS_61',
    asks: 'roles that only named services may assume',
    type: document,
    holds: (one) =>
      statements(one)
        .filter(isTrust)
        .every((statement) =>
          blocks(statement, 'principals').every(
            (principal) => principal.type === 'Service' && !strings(principal.identifiers).includes('*'),
          ),
        ),
  },
  {
    ids: 'CKV_AWS_1 CKV_AWS_49 CKV_AWS_62 CKV_AWS_63 AWS-0057 AwsSolutions-IAM5',
    asks: 'no permission for everything',
    type: document,
    holds: (one) =>
      statements(one).every(({ actions }) => !strings(actions).some((action) => /^\*$|^\*:|:\*$/.test(action))),
  },
  {
    ids: 'CKV_AWS_107 CKV_AWS_108 CKV_AWS_109 CKV_AWS_110 CKV_AWS_111 CKV_AWS_286 CKV_AWS_287 CKV_AWS_288 CKV_AWS_289 CKV_AWS_290 CKV_AWS_355 CKV_AWS_356',
    asks: 'resources by name',
    type: document,
    holds: (one) =>
      statements(one)
        .filter(({ resources }) => strings(resources).includes('*'))
        .every(({ actions }) => strings(actions).every((action) => WITHOUT_RESOURCE.test(action))),
  },
  {
    ids: 'CKV_AWS_283 CKV_AWS_358 CKV_AWS_33 CKV_AWS_169 CKV_AWS_385 CKV_AWS_70',
    asks: 'no principal "*"',
    type: document,
    holds: (one) =>
      statements(one).every((statement) =>
        blocks(statement, 'principals').every(({ identifiers }) => !strings(identifiers).includes('*')),
      ),
  },
  {
    ids: 'CKV_AWS_274 AwsSolutions-IAM4',
    asks: 'no policies that AWS manages',
    type: 'aws_iam_role',
    holds: ({ config }, all) =>
      at(config, 'managed_policy_arns') === undefined && all.all('aws_iam_role_policy_attachment').length === 0,
  },
  {
    ids: 'CKV2_AWS_56',
    asks: 'no read access to everything',
    type: 'aws_iam_role',
    holds: ({ config }) => !JSON.stringify(config).includes('ReadOnlyAccess'),
  },
];

export const SCANNER_RULES: readonly ScannerRule[] = [
  ...BALANCER,
  ...TASKS,
  ...STORES,
  ...NETWORK,
  ...KEEPING,
  ...PERMISSIONS,
];
