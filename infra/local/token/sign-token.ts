/**
 * Makes the HS256 tokens of development and tests. In production an identity provider issues them; nothing there uses
 * this.
 */
import { SignJWT } from 'jose';

/** What a token says. Patterns name channels: `room:42`, or `room:*` for all that begin so. */
export interface TokenClaims {
  /** `sub`: becomes the sender of the user's messages. */
  readonly user: string;
  /** Default: `*`, every channel. */
  readonly subscribe?: readonly string[];
  /** Default: `*`, every channel. */
  readonly publish?: readonly string[];
  /** Seconds until it expires, default 3600. Negative: expired already. */
  readonly ttlSeconds?: number;
}

/** A signed JWT. `secret` is the node's AUTH_JWT_SECRET. */
export async function signToken(claims: TokenClaims, secret: string): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ channels: { subscribe: claims.subscribe ?? ['*'], publish: claims.publish ?? ['*'] } })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(claims.user)
    .setIssuedAt(now)
    .setExpirationTime(now + (claims.ttlSeconds ?? 3600))
    .sign(new TextEncoder().encode(secret));
}
