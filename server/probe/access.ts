/** Credentials of a probe: its token, and tickets for its connections. */
import { SignJWT } from 'jose';

export interface TokenOptions {
  /** Used as it is. Empty: `probeToken` signs one with `secret`. */
  readonly token: string;
  readonly secret: string;
  readonly issuer: string;
  readonly audience: string;
  readonly channel: string;
}

/** Lifetime of a signed token, seconds: longer than a round, with room for clock differences. */
const TOKEN_TTL_S = 300;

/** Returns a token that is valid for the channel of this probe only. */
export async function probeToken({ token, secret, issuer, audience, channel }: TokenOptions): Promise<string> {
  if (token) return token;
  const jwt = new SignJWT({ channels: { subscribe: [channel], publish: [channel] } })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject('holdfast-probe')
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_TTL_S} s`);
  if (issuer) jwt.setIssuer(issuer);
  if (audience) jwt.setAudience(audience);
  return jwt.sign(new TextEncoder().encode(secret));
}

/** @throws Error with the status and code of a refusal */
export async function getTicket(url: string, token: string, timeoutMs: number): Promise<string> {
  const response = await fetch(`${url.replace(/\/+$/, '')}/auth/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body = (await response.json().catch(() => ({}))) as {
    readonly ticket?: string;
    readonly error?: { readonly code: string; readonly message: string };
  };
  if (response.ok && body.ticket) return body.ticket;
  throw new Error(
    `The ticket was refused with ${response.status} ${body.error?.code ?? ''}: ${body.error?.message ?? ''}`,
  );
}
