/** How a probe gets in: its token, and tickets for it. */
import { SignJWT } from 'jose';

export interface TokenOptions {
  /** Used as it is; empty: one is signed. */
  readonly token: string;
  readonly secret: string;
  readonly issuer: string;
  readonly audience: string;
  readonly channel: string;
}

/** Long enough for a round, and for clocks that differ. Seconds. */
const TOKEN_TTL_S = 300;

/** A token for the probe's own channel and no other. */
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

/** @throws Error with status and code when there is none to be had */
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
