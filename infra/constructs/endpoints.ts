/**
 * VPC endpoints: routes to AWS APIs that avoid NAT and the internet. The one for S3 is free and always present; the
 * interface endpoints depend on `network.endpoints`.
 */
import type { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js';
import type { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js';
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import type { Subnets } from './subnets.ts';

export interface EndpointsProps {
  readonly environment: Environment;
  readonly vpc: Vpc;
  readonly subnets: Subnets;
  readonly securityGroup: SecurityGroup;
}

/** AWS APIs that tasks call: images, logs, secrets, CloudWatch metrics, Prometheus, traces, target health. */
const INTERFACES = [
  'ecr.api',
  'ecr.dkr',
  'logs',
  'secretsmanager',
  'monitoring',
  'aps-workspaces',
  'xray',
  'elasticloadbalancing',
] as const;

export class Endpoints extends Construct {
  constructor(scope: Construct, id: string, { environment, vpc, subnets, securityGroup }: EndpointsProps) {
    super(scope, id);
    const service = (name: string) => `com.amazonaws.${environment.region}.${name}`;
    // ECR serves image layers from S3, so this endpoint saves NAT traffic in every environment.
    new VpcEndpoint(this, 's3', {
      vpcId: vpc.id,
      serviceName: service('s3'),
      vpcEndpointType: 'Gateway',
      routeTableIds: subnets.innerRouteTables.map((table) => table.id),
      tags: { Name: nameOf(environment, 's3') },
    });
    if (!environment.network.endpoints) return;
    for (const name of INTERFACES) {
      new VpcEndpoint(this, name.replace('.', '-'), {
        vpcId: vpc.id,
        serviceName: service(name),
        vpcEndpointType: 'Interface',
        privateDnsEnabled: true,
        subnetIds: subnets.private.map((subnet) => subnet.id),
        securityGroupIds: [securityGroup.id],
        tags: { Name: nameOf(environment, name) },
      });
    }
  }
}
