/** Remembers verified tokens for a moment: a backend that posts a thousand messages a second sends the same token each time. */
import type { Identity, VerifyToken } from './tokens.ts';

/** Tokens remembered; the oldest go first. At some 1 KB each, 5 MB at most. */
const TOKENS_MAX = 5_000;
/** After this long a token is verified again, so that a key taken out of the JWKS stops working soon. Milliseconds. */
const REMEMBER_MS = 30_000;

/** The same verifier, asked once per token and half minute. Failures are not remembered. */
export function cacheVerified(verify: VerifyToken): VerifyToken {
  const known = new Map<string, { readonly identity: Identity; readonly until: number }>();
  return async (token) => {
    const now = Date.now();
    const entry = known.get(token);
    if (entry && entry.until > now) return entry.identity;
    const identity = await verify(token);
    known.delete(token);
    known.set(token, { identity, until: Math.min(now + REMEMBER_MS, identity.expiresAt) });
    if (known.size > TOKENS_MAX) known.delete(known.keys().next().value as string);
    return identity;
  };
}
