/**
 * Signs HS256 tokens for development and tests. In production an identity provider or the backend of the application
 * issues tokens.
 */
import { SignJWT } from 'jose';

/** Claims of a token. Patterns name channels: `room:42`, or `room:*` for all channels that begin with `room:`. */
export interface TokenClaims {
  /** `sub`: becomes the sender of the user's messages. */
  readonly user: string;
  /** Default: `*`, every channel. */
  readonly subscribe?: readonly string[];
  /** Default: `*`, every channel. */
  readonly publish?: readonly string[];
  /** Lifetime, seconds, default 3600. A negative value makes an expired token. */
  readonly ttlSeconds?: number;
}

/** A signed JWT. `secret` is the AUTH_JWT_SECRET of the nodes. */
export async function signToken(claims: TokenClaims, secret: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ channels: { subscribe: claims.subscribe ?? ['*'], publish: claims.publish ?? ['*'] } })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(claims.user)
    .setIssuedAt(now)
    .setExpirationTime(now + (claims.ttlSeconds ?? 3600))
    .sign(new TextEncoder().encode(secret));
}
