/** Subnets lie within their VPC and never overlap, for every allowed range and number of zones. */
import { expect, test } from '@jest/globals';
import { subnetCidr, TIERS } from '../../../../infra/plan/address-plan.ts';

function bounds(cidr: string): [number, number] {
  const [address = '', prefix = ''] = cidr.split('/');
  const first = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return [first, first + 2 ** (32 - Number(prefix)) - 1];
}

test('divides a /16 into /20 subnets, four places per tier', () => {
  expect(subnetCidr('10.30.0.0/16', 'public', 0)).toBe('10.30.0.0/20');
  expect(subnetCidr('10.30.0.0/16', 'public', 2)).toBe('10.30.32.0/20');
  expect(subnetCidr('10.30.0.0/16', 'private', 0)).toBe('10.30.64.0/20');
  expect(subnetCidr('10.30.0.0/16', 'isolated', 1)).toBe('10.30.144.0/20');
});

test.each(['10.0.0.0/16', '172.31.16.0/20', '192.168.128.0/17', '100.64.0.0/18'])(
  '%s: subnets lie within it and do not overlap',
  (cidr) => {
    const [first, last] = bounds(cidr);
    const subnets = TIERS.flatMap((tier) => [0, 1, 2].map((zone) => bounds(subnetCidr(cidr, tier, zone))));
    for (const [from, to] of subnets) {
      expect(from).toBeGreaterThanOrEqual(first);
      expect(to).toBeLessThanOrEqual(last);
    }
    const sorted = subnets.sort(([a], [b]) => a - b);
    for (let i = 1; i < sorted.length; i++) expect(sorted[i]?.[0]).toBeGreaterThan(sorted[i - 1]?.[1] ?? 0);
  },
);
