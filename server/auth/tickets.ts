/**
 * Tickets: signed credentials that open one WebSocket within ten seconds. A ticket stands in the URL instead of a token,
 * so that access logs contain no long-lived credential. Without Redis the single use is checked on this node only.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { OnceStore } from '../backplane/types.ts';
import { AppError } from '../errors.ts';
import { type Identity, toIdentity } from './tokens.ts';

export const TICKET_TTL_MS = 10_000;

/** How a ticket was accepted. `unchecked`: Redis could not be reached, so another node may accept the ticket again. */
export type TicketUse = 'ok' | 'unchecked';

export interface TicketsOptions {
  /** Key that signs tickets; the same on all nodes. */
  readonly secret: string;
  /** Records used tickets for all nodes; undefined when no Redis is configured. */
  readonly once: OnceStore | undefined;
}

/** A ticket was used before. A type of its own, because the metric counts replays apart from expired tickets. */
export class ReplayedTicketError extends AppError {
  constructor() {
    super('unauthenticated', 'The ticket was used before; each connection needs a new one from POST /auth/ticket.');
  }
}

/** The ticket key when none is configured. It differs from the token key, so that a ticket is never valid as a token, or a token as a ticket. */
export function deriveTicketSecret(jwtSecret: string): string {
  return createHmac('sha256', jwtSecret).update('holdfast ticket').digest('base64');
}

export class Tickets {
  private readonly key: Uint8Array;
  private readonly once: OnceStore | undefined;
  /** Ids used on this node, with their expiry: the single-use check that works without Redis. At most the tickets of 10 s. */
  private readonly used = new Map<string, number>();

  constructor(options: TicketsOptions) {
    this.key = new TextEncoder().encode(options.secret);
    this.once = options.once;
  }

  /** Issues a ticket for the identity of a verified token. */
  issue(identity: Identity): Promise<string> {
    return new SignJWT({ channels: { ...identity.channels }, session_exp: identity.expiresAt })
      .setProtectedHeader({ alg: 'HS256', typ: 'ticket' })
      .setSubject(identity.user)
      .setJti(randomUUID())
      .setExpirationTime(new Date(Date.now() + TICKET_TTL_MS))
      .sign(this.key);
  }

  /** Accepts a ticket once. @throws AppError `unauthenticated`; ReplayedTicketError when it was used before */
  async redeem(ticket: string): Promise<{ identity: Identity; use: TicketUse }> {
    const { id, identity } = await this.verify(ticket);
    this.forgetExpired();
    if (this.used.has(id)) throw new ReplayedTicketError();
    this.used.set(id, Date.now() + TICKET_TTL_MS);
    if (!this.once) return { identity, use: 'ok' };
    // Kept longer than the ticket lives, because the clocks of nodes differ.
    const first = await this.once.take(id, TICKET_TTL_MS * 2).catch(() => undefined);
    if (first === false) throw new ReplayedTicketError();
    return { identity, use: first === undefined ? 'unchecked' : 'ok' };
  }

  private async verify(ticket: string): Promise<{ id: string; identity: Identity }> {
    try {
      const checks = { algorithms: ['HS256'], typ: 'ticket', requiredClaims: ['sub', 'exp', 'jti', 'session_exp'] };
      const { payload } = await jwtVerify(ticket, this.key, checks);
      const identity = toIdentity(payload);
      return { id: String(payload.jti), identity: { ...identity, expiresAt: Number(payload.session_exp) } };
    } catch {
      throw new AppError(
        'unauthenticated',
        'The ticket is not valid, or older than ten seconds; get a new one from POST /auth/ticket.',
      );
    }
  }

  private forgetExpired(): void {
    const now = Date.now();
    // A Map keeps the order of insertion, so the expired ids come first.
    for (const [id, end] of this.used) {
      if (end > now) return;
      this.used.delete(id);
    }
  }
}
