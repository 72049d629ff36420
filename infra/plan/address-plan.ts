/**
 * Divides the range of the VPC into subnets: sixteenths of the range, with four places per tier, so that a zone can be
 * added later without moving a subnet. Pure.
 */
export const TIERS = ['public', 'private', 'isolated'] as const;

/**
 * `public`: load balancer and NAT gateways, with routes from and to the internet. `private`: tasks, which reach the
 * internet through NAT. `isolated`: Postgres and Redis, without a route to the internet.
 */
export type Tier = (typeof TIERS)[number];

const BITS = 4;
const PLACES_PER_TIER = 4;

/**
 * The range of the subnet of a tier in zone 0, 1, 2 … . Example: `10.30.0.0/16`, private, zone 0 -> `10.30.64.0/20`.
 */
export function subnetCidr(vpcCidr: string, tier: Tier, zone: number): string {
  const [address = '', prefix = ''] = vpcCidr.split('/');
  const length = Number(prefix) + BITS;
  const index = TIERS.indexOf(tier) * PLACES_PER_TIER + zone;
  return `${toText(toNumber(address) + index * 2 ** (32 - length))}/${length}`;
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
