/**
 * Which part of the VPC's range belongs to which subnet. Pure. A sixteenth of the range for each subnet, four places for
 * each tier, so that a zone can be added later without moving anything.
 */
export const TIERS = ['public', 'private', 'isolated'] as const;

/**
 * `public`: the load balancer and NAT, with routes from and to the internet. `private`: tasks, with a way out through
 * NAT. `isolated`: Postgres and Redis, with no way out.
 */
export type Tier = (typeof TIERS)[number];

const BITS = 4;
const PLACES_PER_TIER = 4;

/** The range of a tier's subnet in a zone (0, 1, 2), of a VPC's IPv4 range such as `10.0.0.0/16`. */
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
