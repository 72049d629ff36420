/** The network stack: encryption key, VPC, subnets of three tiers, security groups, endpoints and flow logs. */
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js';
import type { Construct } from 'constructs';
import { EncryptionKey } from '../constructs/encryption-key.ts';
import { Endpoints } from '../constructs/endpoints.ts';
import { FlowLogs } from '../constructs/flow-logs.ts';
import { SecurityGroups } from '../constructs/security-groups.ts';
import { Subnets } from '../constructs/subnets.ts';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { EnvironmentStack } from './environment-stack.ts';

export class NetworkStack extends EnvironmentStack {
  readonly vpc: Vpc;
  readonly subnets: Subnets;
  readonly securityGroups: SecurityGroups;
  readonly key: EncryptionKey;

  constructor(scope: Construct, environment: Environment) {
    super(scope, environment, 'network');
    this.key = new EncryptionKey(this, 'key', { environment });
    this.vpc = new Vpc(this, 'vpc', {
      cidrBlock: environment.network.cidr,
      enableDnsSupport: true,
      // Private DNS of interface endpoints needs DNS support and DNS host names.
      enableDnsHostnames: true,
      tags: { Name: nameOf(environment, 'vpc') },
    });
    this.subnets = new Subnets(this, 'subnets', { environment, vpc: this.vpc });
    this.securityGroups = new SecurityGroups(this, 'groups', { environment, vpc: this.vpc });
    new Endpoints(this, 'endpoints', {
      environment,
      vpc: this.vpc,
      subnets: this.subnets,
      securityGroup: this.securityGroups.endpoints,
    });
    new FlowLogs(this, 'flow-logs', { environment, vpc: this.vpc, keyArn: this.key.arn });
  }
}
