/** Caches verified tokens, because a backend sends the same token with every HTTP request. Never caches a refusal. */
import type { Identity, VerifyToken } from './tokens.ts';

/** Most cached tokens; the oldest are removed first. At about 1 KB per token, 5 MB at most. */
const TOKENS_MAX = 5_000;
/** Time in the cache, milliseconds. Short, so that a key that was removed from the JWKS soon stops working. */
const CACHE_MS = 30_000;

/** The same verifier behind the cache. */
export function cacheVerified(verify: VerifyToken): VerifyToken {
  const known = new Map<string, { readonly identity: Identity; readonly until: number }>();
  return async (token) => {
    const now = Date.now();
    const entry = known.get(token);
    if (entry && entry.until > now) return entry.identity;
    const identity = await verify(token);
    known.delete(token);
    known.set(token, { identity, until: Math.min(now + CACHE_MS, identity.expiresAt) });
    if (known.size > TOKENS_MAX) known.delete(known.keys().next().value as string);
    return identity;
  };
}
