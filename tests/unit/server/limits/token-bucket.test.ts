/** Rate limits, and the limits of each user. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TokenBucket } from '../../../../server/limits/token-bucket.ts';
import { UserLimits } from '../../../../server/limits/user-limits.ts';

test('a bucket grants its burst at once and then its rate, and returns the exact wait', () => {
  const bucket = new TokenBucket(10, 3, 0);
  expect([0, 0, 0, 0].map((now) => bucket.take(now))).toEqual([0, 0, 0, 100]);
  expect(bucket.take(50)).toBe(50);
  expect(bucket.take(100)).toBe(0);
  expect(bucket.take(101)).toBeGreaterThan(0);
  expect([10_000, 10_000, 10_000, 10_000].map((now) => bucket.take(now) === 0)).toEqual([true, true, true, false]);
});

test('over any period a bucket grants at most what burst and rate allow', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 }), (pauses) => {
      const bucket = new TokenBucket(20, 5, 0);
      let now = 0;
      let given = 0;
      for (const pause of pauses) {
        now += pause;
        if (bucket.take(now) === 0) given++;
      }
      expect(given).toBeLessThanOrEqual(5 + (now / 1000) * 20 + 1e-9);
    }),
  );
});

test('connections are counted per user, publishes limited per user', () => {
  const limits = new UserLimits(2, 1);
  expect([
    limits.addConnection('ada'),
    limits.addConnection('ada'),
    limits.addConnection('ada'),
    limits.addConnection('ben'),
  ]).toEqual([true, true, false, true]);
  limits.removeConnection('ada');
  expect(limits.addConnection('ada')).toBe(true);
  limits.requirePublishRate('ada');
  limits.requirePublishRate('ada');
  expect(() => limits.requirePublishRate('ada')).toThrow(
    expect.objectContaining({ code: 'rate_limited', retryAfterMs: expect.any(Number) }),
  );
  expect(() => limits.requirePublishRate('ben')).not.toThrow();
});
