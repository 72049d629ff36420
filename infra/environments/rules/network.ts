/** Rules for the address range of the VPC and for NAT. Pure. */
import type { Rule } from './rule.ts';

export const NETWORK_RULES: readonly Rule[] = [
  ({ network }) =>
    prefixOf(network.cidr) === undefined &&
    `network.cidr "${network.cidr}" is not an IPv4 range. Write it like 10.0.0.0/16.`,
  ({ network }) => {
    const prefix = prefixOf(network.cidr);
    if (prefix === undefined || (prefix >= 16 && prefix <= 20)) return undefined;
    return `network.cidr is a /${prefix}; it must be between /16 and /20. AWS allows no VPC larger than /16, and a range smaller than /20 has too few addresses for tasks in ${network.zones} zones.`;
  },
  ({ network, protected: isProtected }) =>
    isProtected &&
    network.nat === 'one' &&
    'network.nat is "one" in a protected environment: when the zone of the NAT gateway fails, tasks in the other zones lose the internet too. Set it to "per-zone".',
];

/** The prefix length of an IPv4 range; undefined when the text is not one. */
function prefixOf(cidr: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (!match || match.slice(1, 5).some((part) => Number(part) > 255)) return undefined;
  return Number(match[5]);
}
