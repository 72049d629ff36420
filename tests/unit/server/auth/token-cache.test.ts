/** The cache keeps verified tokens for a limited time, and never a refusal. */
import { expect, jest, test } from '@jest/globals';
import { cacheVerified } from '../../../../server/auth/token-cache.ts';
import type { Identity } from '../../../../server/auth/tokens.ts';

test('a token is verified again after 30 s, or after its expiry, and a refusal is not cached', async () => {
  jest.useFakeTimers({ now: 1_000_000 });
  const asked: string[] = [];
  const verify = cacheVerified(async (token): Promise<Identity> => {
    asked.push(token);
    if (token === 'bad') throw new Error('refused');
    return { user: token, channels: {}, expiresAt: token === 'brief' ? 1_005_000 : 9_000_000 };
  });
  for (const token of ['ada', 'ada', 'ben', 'brief', 'brief']) expect((await verify(token)).user).toBe(token);
  for (let i = 0; i < 2; i++) await expect(verify('bad')).rejects.toThrow('refused');
  expect(asked).toEqual(['ada', 'ben', 'brief', 'bad', 'bad']);
  jest.setSystemTime(1_006_000);
  await verify('brief');
  await verify('ada');
  jest.setSystemTime(1_031_000);
  await verify('ada');
  expect(asked.slice(5)).toEqual(['brief', 'ada']);
  jest.useRealTimers();
});
