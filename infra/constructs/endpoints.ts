/** Ways to AWS APIs that leave neither the VPC nor through NAT: S3 always, as it is free; the others by environment. */
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

/** What tasks call: images, logs, secrets, the scaling metric, remote write, traces, their target's health. */
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
    // Layers of images come from S3, so this one saves NAT traffic in every environment.
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
