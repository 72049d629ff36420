/** Tokens with a shared secret: which are accepted, with which identity, and why others are refused. JWKS: tests/integration/access/auth. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { deriveTicketSecret, Tickets } from '../../../../server/auth/tickets.ts';
import { createTokenVerifier, type TokenOptions } from '../../../../server/auth/tokens.ts';
import { AppError } from '../../../../server/errors.ts';

const secret = 's'.repeat(64);
const now = () => Math.floor(Date.now() / 1000);

const verifier = (options: Partial<TokenOptions> = {}) =>
  createTokenVerifier({ secret, jwksUrl: '', issuer: '', audience: '', ...options });

function sign(claims: Record<string, unknown> = {}, { alg = 'HS256', key = secret } = {}): Promise<string> {
  const payload = { sub: 'ada', exp: now() + 60, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(key));
}

const refusal = (message: RegExp) => ({ code: 'unauthenticated', message: expect.stringMatching(message) });

describe('createTokenVerifier', () => {
  test('a valid token gives the user, the permitted channels and the expiry', async () => {
    const channels = { subscribe: ['room:*', 'inbox:{user}'], publish: [] };
    const exp = now() + 60;
    expect(await verifier()(await sign({ exp, channels, extra: 'ignored' }))).toEqual({
      user: 'ada',
      channels,
      expiresAt: exp * 1000,
    });
    expect((await verifier()(await sign())).channels).toEqual({});
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['that has expired', { exp: now() - 60 }, /expired/],
    ['that is not valid yet', { nbf: now() + 60 }, /"nbf"/],
    ['without an expiry', { exp: undefined }, /"exp"/],
    ['without a user', { sub: undefined }, /"sub"/],
    ['with an empty user', { sub: '' }, /"sub"/],
    ['with a user that is too long', { sub: 'a'.repeat(129) }, /"sub"/],
    ['with a line break in the user', { sub: 'a\nb' }, /"sub"/],
    ['with a null character in the user', { sub: 'a\0b' }, /"sub"/],
    ['with channels that are a list', { channels: ['*'] }, /"channels"/],
    ['with channels that are null', { channels: null }, /"channels"/],
    ['with patterns that are not a list', { channels: { subscribe: '*' } }, /"channels"/],
    ['with a pattern that is not a string', { channels: { publish: [1] } }, /"channels"/],
    ['with a pattern that is too long', { channels: { publish: ['a'.repeat(257)] } }, /"channels"/],
    ['with too many patterns', { channels: { publish: Array(101).fill('a') } }, /"channels"/],
  ])('a token %s is refused, and the error names the reason', async (_what, claims, message) => {
    await expect(verifier()(await sign(claims))).rejects.toMatchObject(refusal(message));
  });

  test('the longest user name and the most patterns are accepted', async () => {
    const channels = { subscribe: Array(100).fill('a'.repeat(256)) as string[] };
    expect(await verifier()(await sign({ sub: 'a'.repeat(128), channels }))).toMatchObject({ channels });
  });

  test('clocks may differ by 5 s, not by 10 s', async () => {
    expect(await verifier()(await sign({ exp: now() - 2, nbf: now() + 3 }))).toMatchObject({ user: 'ada' });
    await expect(verifier()(await sign({ exp: now() - 10 }))).rejects.toMatchObject(refusal(/expired/));
    await expect(verifier()(await sign({ nbf: now() + 10 }))).rejects.toMatchObject(refusal(/"nbf"/));
  });

  test('issuer and audience are checked only if they are configured', async () => {
    const claims = { iss: 'https://issuer', aud: ['other', 'holdfast'] };
    const strict = verifier({ issuer: 'https://issuer', audience: 'holdfast' });
    expect(await strict(await sign(claims))).toMatchObject({ user: 'ada' });
    await expect(strict(await sign({ ...claims, iss: 'https://issuer/' }))).rejects.toMatchObject(refusal(/"iss"/));
    await expect(strict(await sign({ ...claims, iss: undefined }))).rejects.toMatchObject(refusal(/"iss"/));
    await expect(strict(await sign({ ...claims, aud: 'holdfast2' }))).rejects.toMatchObject(refusal(/"aud"/));
    await expect(strict(await sign({ ...claims, aud: undefined }))).rejects.toMatchObject(refusal(/"aud"/));
    expect(await verifier()(await sign({ iss: 'x', aud: 'y' }))).toMatchObject({ user: 'ada' });
  });

  test('only HS256 with the secret is accepted: no other algorithm or key, no missing or foreign signature', async () => {
    const token = await sign();
    const [, payload, signature] = token.split('.');
    const header = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const other = Buffer.from(JSON.stringify({ sub: 'ben', exp: now() + 60 })).toString('base64url');
    const bad = [
      await sign({}, { alg: 'HS384' }),
      await sign({}, { alg: 'HS512' }),
      await sign({}, { key: 'x'.repeat(64) }),
      `${header({ alg: 'none' })}.${payload}.`,
      `${header({ alg: 'None' })}.${payload}.${signature}`,
      `${token.split('.')[0]}.${payload}.`,
      `${token.split('.')[0]}.${other}.${signature}`,
    ];
    for (const token of bad) await expect(verifier()(token)).rejects.toMatchObject(refusal(/not valid/));
  });

  test('a ticket is not accepted as a token', async () => {
    const tickets = new Tickets({ secret: deriveTicketSecret(secret), once: undefined });
    const ticket = await tickets.issue({ user: 'ada', channels: {}, expiresAt: Date.now() + 60_000 });
    await expect(verifier()(ticket)).rejects.toMatchObject(refusal(/not valid/));
  });

  test('every random text is refused as unauthenticated, never as an error of the server', async () => {
    const part = fc.oneof(
      fc.base64String(),
      fc.string(),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
    );
    const verify = verifier();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
        ),
        async (text) => {
          const error: unknown = await verify(text).catch((thrown: unknown) => thrown);
          expect(error).toBeInstanceOf(AppError);
          expect([text, (error as AppError).code]).toEqual([text, 'unauthenticated']);
        },
      ),
    );
  });
});
