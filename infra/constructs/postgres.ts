/**
 * The history: PostgreSQL on RDS, encrypted, reachable from the nodes only. RDS generates its master password and rotates
 * it; Terraform never sees it.
 */
import { DataAwsIamPolicyDocument } from '@cdktf/provider-aws/lib/data-aws-iam-policy-document/index.js';
import { DbInstance } from '@cdktf/provider-aws/lib/db-instance/index.js';
import { DbParameterGroup } from '@cdktf/provider-aws/lib/db-parameter-group/index.js';
import { DbSubnetGroup } from '@cdktf/provider-aws/lib/db-subnet-group/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { PORTS } from '../plan/ports.ts';
import { LogGroup } from './log-group.ts';
import { ServiceRole } from './service-role.ts';

export interface PostgresProps {
  readonly environment: Environment;
  readonly subnetIds: readonly string[];
  readonly securityGroupId: string;
  readonly keyArn: string;
}

const DATABASE_NAME = 'holdfast';
const USER = 'holdfast';
const LOGS = ['postgresql', 'upgrade'] as const;

/** Server parameters. Times in milliseconds. */
const PARAMETERS: Readonly<Record<string, string>> = {
  // Refuses clients without TLS. The default from version 15 on; stated because the service depends on it.
  'rds.force_ssl': '1',
  // Logs slow statements and schema changes, without parameters: those contain messages of users.
  log_min_duration_statement: '1000',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
  log_statement: 'ddl',
  log_lock_waits: '1',
  // An abandoned transaction blocks retention and makes nodes read the same commits repeatedly.
  idle_in_transaction_session_timeout: '60000',
};

export class Postgres extends Construct {
  readonly host: string;
  /** ARN of the secret that RDS rotates: `{"username","password"}`. */
  readonly secretArn: string;
  readonly instanceId: string;
  readonly databaseName = DATABASE_NAME;
  readonly user = USER;

  constructor(scope: Construct, id: string, props: PostgresProps) {
    super(scope, id);
    const { environment, keyArn } = props;
    const { postgres, protected: isProtected } = environment;
    const name = nameOf(environment, 'history');
    const subnets = new DbSubnetGroup(this, 'subnets', { name, subnetIds: [...props.subnetIds] });
    const parameters = new DbParameterGroup(this, 'parameters', {
      // A prefix, because an upgrade to a new major version needs a second group beside the old one.
      namePrefix: `${name}-`,
      family: `postgres${Number.parseInt(postgres.version, 10)}`,
      parameter: Object.entries(PARAMETERS).map(([parameter, value]) => ({ name: parameter, value })),
      lifecycle: { createBeforeDestroy: true },
    });
    // Without these log groups, RDS creates ones that never expire.
    const logs = LOGS.map(
      (log) =>
        new LogGroup(this, `log-${log}`, {
          name: `/aws/rds/instance/${name}/${log}`,
          days: environment.observability.logDays,
          keyArn,
        }).resource,
    );
    const instance = new DbInstance(this, 'instance', {
      dependsOn: logs,
      identifier: name,
      engine: 'postgres',
      engineVersion: postgres.version,
      autoMinorVersionUpgrade: true,
      // No paid extended support: upgrade before the version reaches its end of life.
      engineLifecycleSupport: 'open-source-rds-extended-support-disabled',
      instanceClass: postgres.instanceClass,
      storageType: 'gp3',
      allocatedStorage: postgres.storageGb,
      maxAllocatedStorage: postgres.maxStorageGb,
      storageEncrypted: true,
      kmsKeyId: keyArn,
      multiAz: postgres.multiAz,
      dbName: DATABASE_NAME,
      username: USER,
      manageMasterUserPassword: true,
      masterUserSecretKmsKeyId: keyArn,
      iamDatabaseAuthenticationEnabled: true,
      port: PORTS.postgres,
      dbSubnetGroupName: subnets.name,
      vpcSecurityGroupIds: [props.securityGroupId],
      publiclyAccessible: false,
      parameterGroupName: parameters.name,
      caCertIdentifier: 'rds-ca-rsa2048-g1',
      backupRetentionPeriod: postgres.backupDays,
      // UTC. The windows do not overlap, and it is night or early morning in Europe and in America.
      backupWindow: '05:00-06:00',
      maintenanceWindow: 'sun:06:30-sun:07:30',
      copyTagsToSnapshot: true,
      deleteAutomatedBackups: !postgres.finalSnapshot,
      deletionProtection: isProtected,
      skipFinalSnapshot: !postgres.finalSnapshot,
      ...(postgres.finalSnapshot && { finalSnapshotIdentifier: `${name}-final` }),
      performanceInsightsEnabled: true,
      performanceInsightsKmsKeyId: keyArn,
      performanceInsightsRetentionPeriod: 7,
      monitoringInterval: 60,
      monitoringRoleArn: this.monitoringRole(environment).arn,
      enabledCloudwatchLogsExports: [...LOGS],
    });
    this.host = instance.address;
    this.instanceId = instance.identifier;
    this.secretArn = instance.masterUserSecret.get(0).secretArn;
  }

  /** The permissions of the managed policy AmazonRDSEnhancedMonitoringRole, written out. */
  private monitoringRole(environment: Environment): ServiceRole {
    const policy = new DataAwsIamPolicyDocument(this, 'may-monitor', {
      statement: [
        { actions: ['logs:CreateLogGroup', 'logs:PutRetentionPolicy'], resources: ['arn:aws:logs:*:*:log-group:RDS*'] },
        {
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams', 'logs:GetLogEvents'],
          resources: ['arn:aws:logs:*:*:log-group:RDS*:log-stream:*'],
        },
      ],
    });
    return new ServiceRole(this, 'monitoring', {
      environment,
      what: 'rds-monitoring',
      service: 'monitoring.rds.amazonaws.com',
      policies: { 'write-metrics': policy.json },
    });
  }
}
