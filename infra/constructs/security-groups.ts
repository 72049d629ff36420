/**
 * The security groups and every connection that they allow. A rule names a group on both sides, except for traffic from
 * and to the internet. Everything else is denied, outgoing traffic included.
 */
import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group/index.js';
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js';
import type { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js';
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js';
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { PORTS } from '../plan/ports.ts';

export interface SecurityGroupsProps {
  readonly environment: Environment;
  readonly vpc: Vpc;
}

const ANYWHERE = '0.0.0.0/0';
const GROUPS = {
  balancer: 'The load balancer: the only part that the internet reaches',
  server: 'Holdfast nodes',
  postgres: 'The history',
  redis: 'The backplane',
  endpoints: 'Interface endpoints of AWS APIs',
  probe: 'Synthetic clients, from inside the VPC to the public address',
  grafana: 'Grafana',
} as const;

export type GroupName = keyof typeof GROUPS;

export class SecurityGroups extends Construct {
  readonly balancer: SecurityGroup;
  readonly server: SecurityGroup;
  readonly postgres: SecurityGroup;
  readonly redis: SecurityGroup;
  readonly endpoints: SecurityGroup;
  readonly probe: SecurityGroup;
  readonly grafana: SecurityGroup;

  constructor(scope: Construct, id: string, { environment, vpc }: SecurityGroupsProps) {
    super(scope, id);
    // AWS creates a default group that allows all traffic among its members. Terraform removes its rules; no resource
    // uses it.
    new DefaultSecurityGroup(this, 'default', { vpcId: vpc.id, tags: { Name: nameOf(environment, 'default-closed') } });
    const make = (name: GroupName) =>
      new SecurityGroup(this, name, {
        name: nameOf(environment, name),
        description: GROUPS[name],
        vpcId: vpc.id,
        tags: { Name: nameOf(environment, name) },
        lifecycle: { createBeforeDestroy: true },
      });
    this.balancer = make('balancer');
    this.server = make('server');
    this.postgres = make('postgres');
    this.redis = make('redis');
    this.endpoints = make('endpoints');
    this.probe = make('probe');
    this.grafana = make('grafana');

    this.fromInternet('balancer', PORTS.https, 'Clients');
    this.fromInternet('balancer', PORTS.http, environment.domain ? 'Clients, to be sent to HTTPS' : 'Clients');
    this.allow('balancer', 'server', PORTS.server, 'Requests, WebSockets, health checks');
    this.allow('server', 'postgres', PORTS.postgres, 'The history');
    this.allow('server', 'redis', PORTS.redis, 'The backplane');
    this.allow('server', 'endpoints', PORTS.https, 'AWS APIs');
    this.allow('balancer', 'grafana', PORTS.grafana, 'Dashboards');
    this.allow('grafana', 'endpoints', PORTS.https, 'AWS APIs');
    this.toInternet('grafana', 'AWS APIs without an endpoint');
    this.allow('probe', 'endpoints', PORTS.https, 'AWS APIs');
    this.toInternet('server', 'AWS APIs without an endpoint, and the issuer of tokens');
    this.toInternet('probe', 'The service as clients reach it');
    if (!environment.domain) this.toInternet('probe', 'The service as clients reach it, without TLS', PORTS.http);
  }

  /** Allows `from` to connect to `port` of `to`: an egress rule of the first and an ingress rule of the second. */
  private allow(from: GroupName, to: GroupName, port: number, description: string): void {
    const rule = { fromPort: port, toPort: port, ipProtocol: 'tcp', description };
    new VpcSecurityGroupEgressRule(this, `${from}-to-${to}`, {
      ...rule,
      securityGroupId: this[from].id,
      referencedSecurityGroupId: this[to].id,
    });
    new VpcSecurityGroupIngressRule(this, `${to}-from-${from}`, {
      ...rule,
      securityGroupId: this[to].id,
      referencedSecurityGroupId: this[from].id,
    });
  }

  private fromInternet(to: GroupName, port: number, description: string): void {
    new VpcSecurityGroupIngressRule(this, `${to}-from-internet-${port}`, {
      securityGroupId: this[to].id,
      cidrIpv4: ANYWHERE,
      fromPort: port,
      toPort: port,
      ipProtocol: 'tcp',
      description,
    });
  }

  private toInternet(from: GroupName, description: string, port: number = PORTS.https): void {
    new VpcSecurityGroupEgressRule(this, `${from}-to-internet-${port}`, {
      securityGroupId: this[from].id,
      cidrIpv4: ANYWHERE,
      fromPort: port,
      toPort: port,
      ipProtocol: 'tcp',
      description,
    });
  }
}
