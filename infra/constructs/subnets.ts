/** The subnets of each tier in every zone, with NAT gateways and routes. plan/address-plan.ts describes the tiers. */
import { DataAwsAvailabilityZones } from '@cdktf/provider-aws/lib/data-aws-availability-zones/index.js';
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js';
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js';
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway/index.js';
import { Route } from '@cdktf/provider-aws/lib/route/index.js';
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js';
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js';
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js';
import type { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js';
import { Fn } from 'cdktf';
import { Construct } from 'constructs';
import { nameOf } from '../environments/names.ts';
import type { Environment } from '../environments/types.ts';
import { subnetCidr, TIERS, type Tier } from '../plan/address-plan.ts';

export interface SubnetsProps {
  readonly environment: Environment;
  readonly vpc: Vpc;
}

const ANYWHERE = '0.0.0.0/0';

export class Subnets extends Construct {
  readonly public: readonly Subnet[];
  readonly private: readonly Subnet[];
  readonly isolated: readonly Subnet[];
  /** Route tables of private and isolated subnets. The S3 endpoint adds its routes to them. */
  readonly innerRouteTables: readonly RouteTable[];
  readonly natGatewayIds: readonly string[];
  private readonly props: SubnetsProps;

  constructor(scope: Construct, id: string, props: SubnetsProps) {
    super(scope, id);
    this.props = props;
    // Excludes local zones, which lack the load balancer and the database.
    const zones = new DataAwsAvailabilityZones(this, 'zones', {
      state: 'available',
      filter: [{ name: 'opt-in-status', values: ['opt-in-not-required'] }],
    });
    const [publics, privates, isolated] = TIERS.map((tier) => this.tier(tier, zones)) as [Subnet[], Subnet[], Subnet[]];
    this.public = publics;
    this.private = privates;
    this.isolated = isolated;
    const internet = this.routePublic();
    const gateways = this.natGateways(internet);
    this.natGatewayIds = gateways.map((gateway) => gateway.id);
    this.innerRouteTables = [...this.routePrivate(gateways), this.routeIsolated()];
  }

  private get zoneCount(): number {
    return this.props.environment.network.zones;
  }

  private name(what: string): Record<string, string> {
    return { Name: nameOf(this.props.environment, what) };
  }

  private tier(tier: Tier, zones: DataAwsAvailabilityZones): Subnet[] {
    const { environment, vpc } = this.props;
    return Array.from({ length: this.zoneCount }, (_, zone) => {
      return new Subnet(this, `${tier}-${zone + 1}`, {
        vpcId: vpc.id,
        cidrBlock: subnetCidr(environment.network.cidr, tier, zone),
        availabilityZone: Fn.element(zones.names, zone) as string,
        // Public subnets assign no addresses either: the load balancer and NAT gateways have their own.
        mapPublicIpOnLaunch: false,
        tags: { ...this.name(`${tier}-${zone + 1}`), Tier: tier },
      });
    });
  }

  private routePublic(): InternetGateway {
    const { vpc } = this.props;
    const gateway = new InternetGateway(this, 'internet', { vpcId: vpc.id, tags: this.name('internet') });
    const table = this.table('public', this.public);
    new Route(this, 'public-out', {
      routeTableId: table.id,
      destinationCidrBlock: ANYWHERE,
      gatewayId: gateway.id,
    });
    return gateway;
  }

  /** One gateway in all, or one per zone, so that the loss of a zone does not affect the others. */
  private natGateways(internet: InternetGateway): NatGateway[] {
    const count = this.props.environment.network.nat === 'one' ? 1 : this.zoneCount;
    return Array.from({ length: count }, (_, zone) => {
      const address = new Eip(this, `nat-address-${zone + 1}`, { domain: 'vpc', tags: this.name(`nat-${zone + 1}`) });
      return new NatGateway(this, `nat-${zone + 1}`, {
        allocationId: address.id,
        subnetId: (this.public[zone] as Subnet).id,
        tags: this.name(`nat-${zone + 1}`),
        // AWS refuses a NAT gateway before the VPC has an internet gateway.
        dependsOn: [internet],
      });
    });
  }

  private routePrivate(nats: readonly NatGateway[]): RouteTable[] {
    return this.private.map((subnet, zone) => {
      const table = this.table(`private-${zone + 1}`, [subnet]);
      new Route(this, `private-out-${zone + 1}`, {
        routeTableId: table.id,
        destinationCidrBlock: ANYWHERE,
        natGatewayId: (nats[zone] ?? (nats[0] as NatGateway)).id,
      });
      return table;
    });
  }

  private routeIsolated(): RouteTable {
    return this.table('isolated', this.isolated);
  }

  private table(id: string, subnets: readonly Subnet[]): RouteTable {
    const table = new RouteTable(this, `${id}-routes`, { vpcId: this.props.vpc.id, tags: this.name(id) });
    subnets.forEach((subnet, i) => {
      new RouteTableAssociation(this, `${id}-routes-${i + 1}`, { routeTableId: table.id, subnetId: subnet.id });
    });
    return table;
  }
}
